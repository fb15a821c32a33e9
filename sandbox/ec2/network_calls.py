# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls about addresses, groups and keys: whatever can open or close a port does so before the answer."""

from __future__ import annotations

from typing import Any, Callable, List

from moto.core.responses import ActionResult

from sandbox.ec2.base_calls import Calls
from sandbox.errors import Ec2Error


class NetworkCalls(Calls):
    """Addresses, interfaces, groups, keys."""

    def allocate_address(self) -> ActionResult:
        """A new Elastic IP."""
        self.tags_for("elastic-ip")
        return super().allocate_address()

    def authorize_security_group_ingress(self) -> ActionResult:
        """Let somebody in."""
        return self._authorize(self.ec2_backend.authorize_security_group_ingress)

    def authorize_security_group_egress(self) -> ActionResult:
        """Let somebody out."""
        return self._authorize(self.ec2_backend.authorize_security_group_egress)

    def revoke_security_group_ingress(self) -> ActionResult:
        """Let somebody in no more."""
        return self._then_ports(super().revoke_security_group_ingress)

    def revoke_security_group_egress(self) -> ActionResult:
        """Let somebody out no more."""
        return self._then_ports(super().revoke_security_group_egress)

    def modify_security_group_rules(self) -> ActionResult:
        """Change rules."""
        return self._then_ports(super().modify_security_group_rules)

    def modify_managed_prefix_list(self) -> ActionResult:
        """Change a list of addresses that rules may name."""
        result: ActionResult = super().modify_managed_prefix_list()
        self.cloud.ports.touch(*self.ec2_backend.instances_by_id().values())
        return result

    def delete_key_pair(self) -> ActionResult:
        """Delete a key pair, by name or by id."""
        key_id = self._get_param("KeyPairId")
        if key_id and not self._get_param("KeyName"):
            names = [name for name, key in self.ec2_backend.key_pairs.items() if key.id == key_id]
            if not names:
                return ActionResult({"Return": True})
            self.params["KeyName"] = names[0]
        return super().delete_key_pair()

    def describe_key_pairs(self) -> ActionResult:
        """Key pairs by name, id and filter."""
        wanted = self.ids("KeyPairIds")
        by_id = {key.id: name for name, key in self.ec2_backend.key_pairs.items()}
        for key_id in wanted:
            if key_id not in by_id:
                raise Ec2Error("InvalidKeyPair.NotFound", f"The key pair '{key_id}' does not exist")
        for name in self.ids("KeyNames"):
            if name not in self.ec2_backend.key_pairs:
                raise Ec2Error("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
        if wanted:
            self.params["KeyNames"] = [*self.ids("KeyNames"), *(by_id[key_id] for key_id in wanted)]
        return super().describe_key_pairs()

    def _authorize(self, allow: Callable[..., Any]) -> ActionResult:
        """All permissions of the request, and in the answer all rules that came of them."""
        rules: List[Any] = []

        def call() -> ActionResult:
            for permission in self._process_rules_from_querystring():
                rules.extend(allow(**permission)[0])
            return ActionResult({"Return": True, "SecurityGroupRules": rules})

        return self._then_ports(call)

    def _then_ports(self, call: Callable[[], Any]) -> ActionResult:
        """Change a group, in whole or not at all, and have the ports of its members looked at."""
        group = self._get_param("GroupId") or self._get_param("GroupName")
        with self.ec2_backend.whole_or_nothing(group):
            result: ActionResult = call()
        self.ec2_backend.touch_group(group)
        return result

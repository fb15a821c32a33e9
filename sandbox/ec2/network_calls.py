# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls about addresses, groups and keys: whatever can open or close a port does so before the answer."""

from __future__ import annotations

from typing import Any, Callable, List

from moto.core.responses import ActionResult

from sandbox.ec2.base_calls import Calls
from sandbox.ec2.groups import describe_rule, shown_rule
from sandbox.errors import Ec2Error


class NetworkCalls(Calls):
    """Addresses, interfaces, groups, keys."""

    def allocate_address(self) -> ActionResult:
        """A new Elastic IP."""
        self.tags_for("elastic-ip")
        return super().allocate_address()

    def associate_address(self) -> ActionResult:
        """Give an Elastic IP to an instance or an interface, there to one of its private addresses."""
        backend = self.ec2_backend
        if not (self._get_param("InstanceId") or self._get_param("NetworkInterfaceId")):
            raise Ec2Error("MissingParameter", "Either public IP or allocation id, and an instance or a network interface are needed")
        instance = backend.get_instance(self._get_param("InstanceId")) if self._get_param("InstanceId") else None
        if instance and len(instance.nics) > 1:
            raise Ec2Error("InvalidInstanceID", f"There are multiple interfaces attached to instance '{instance.id}'.")
        interface = self._get_param("NetworkInterfaceId")
        elastic = backend.associate_address(
            instance=instance,
            eni=backend.get_network_interface(interface) if interface else None,
            address=self._get_param("PublicIp"),
            allocation_id=self._get_param("AllocationId"),
            reassociate=self._get_param("AllowReassociation", False),
            private_ip=self._get_param("PrivateIpAddress"),
        )
        return ActionResult({"AssociationId": elastic.association_id})

    def describe_security_group_rules(self) -> ActionResult:
        """Rules one by one, by id, group and tag."""
        filters, ids = self._filters_from_querystring(), self.ids("SecurityGroupRuleIds")
        return ActionResult(
            {"SecurityGroupRules": [shown_rule(rule) for rule in self.ec2_backend.describe_security_group_rules(ids, filters)]}
        )

    def update_security_group_rule_descriptions_ingress(self) -> ActionResult:
        """Other words for rules, by what they say or by their ids."""
        return self._describe_rules(super().update_security_group_rule_descriptions_ingress)

    def update_security_group_rule_descriptions_egress(self) -> ActionResult:
        """The same for rules of the other direction."""
        return self._describe_rules(super().update_security_group_rule_descriptions_egress)

    def _describe_rules(self, by_content: Callable[[], ActionResult]) -> ActionResult:
        by_id = self._get_param("SecurityGroupRuleDescriptions", [])
        if not by_id:
            return by_content()
        for one in by_id:
            rule = self.ec2_backend.existing_rule(self._get_param("GroupId"), one["SecurityGroupRuleId"])
            describe_rule(rule, one.get("Description"))
        return ActionResult({"Return": True})

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
        """Change rules, which keep their ids."""

        def call() -> ActionResult:
            for one in self._get_param("SecurityGroupRules", []):
                self.ec2_backend.change_rule(self._get_param("GroupId"), one["SecurityGroupRuleId"], one["SecurityGroupRule"])
            return ActionResult({"Return": True})

        return self._then_ports(call)

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

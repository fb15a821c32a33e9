# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security groups: whole changes or none, and no deletion of one that is needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

from moto.ec2.models.security_groups import SecurityGroupBackend

from sandbox.ec2.shared import Shared, missing, not_found
from sandbox.errors import Ec2Error


class GroupModel(Shared, SecurityGroupBackend):
    """The security groups of a region."""

    groups: Dict[str, Dict[str, Any]]

    def all_groups(self) -> Dict[str, Any]:
        """All groups by id."""
        return {group_id: group for of_vpc in self.groups.values() for group_id, group in of_vpc.items()}

    def describe_security_groups(
        self, group_ids: Optional[List[str]] = None, groupnames: Optional[List[str]] = None, filters: Any = None
    ) -> Any:
        """The groups asked for; each id and name must exist."""
        known = self.all_groups()
        absent = missing(group_ids or [], known) + missing(groupnames or [], [g.name for g in known.values()])
        if absent:
            raise not_found("InvalidGroup.NotFound", "security group", absent)
        found = super().describe_security_groups(None, groupnames, filters)
        return [group for group in found if not group_ids or group.id in group_ids]

    def delete_security_group(self, name: Optional[str] = None, group_id: Optional[str] = None) -> None:
        """Delete a group that no interface uses and no other group names."""
        by_name = self.get_security_group_from_name(name) if name else None
        group = by_name or self.existing_group(group_id or str(name))
        if group.name == "default":
            raise Ec2Error("CannotDelete", f"the specified group: '{group.id}' name: 'default' cannot be deleted by a user")
        used = any(group in nic.group_set for nic in self.enis.values())
        if used or any(group.id in _named_by(other) for other in self.all_groups().values() if other is not group):
            raise Ec2Error("DependencyViolation", f"resource {group.id} has a dependent object")
        self.groups[group.vpc_id].pop(group.id)
        self.tags.pop(group.id, None)

    @contextmanager
    def whole_or_nothing(self, name_or_id: str) -> Iterator[None]:
        """Put the rules of a group back as they were if the block fails."""
        group = self.get_security_group_from_id(name_or_id) or self.get_security_group_from_name(name_or_id)
        before = (list(group.ingress_rules), list(group.egress_rules)) if group else None
        try:
            yield
        except Exception:
            if group and before:
                group.ingress_rules, group.egress_rules = before
            raise


def _named_by(group: Any) -> List[str]:
    return [rule.source_group.get("GroupId", "") for rule in [*group.ingress_rules, *group.egress_rules]]

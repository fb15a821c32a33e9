# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the parts of the EC2 backend use from each other."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Dict, Iterable, List

from sandbox.errors import Ec2Error

if TYPE_CHECKING:
    from sandbox.cloud import Cloud
    from sandbox.ec2.tokens import Tokens


class Shared:
    """Attributes that moto's backend and the parts around this one bring along."""

    cloud: "Cloud"
    region_name: str
    account_id: str
    tokens: "Tokens"
    addresses: List[Any]
    volumes: Dict[str, Any]
    snapshots: Dict[str, Any]
    tags: Dict[str, Dict[str, str]]
    if TYPE_CHECKING:
        # The whole backend of moto stands behind these; it is not typed.
        def __getattr__(self, name: str) -> Any: ...

    def existing_group(self, group_id: str) -> Any:
        """The security group of this id; EC2's error if there is none."""
        group = self.get_security_group_from_id(group_id)
        if group is None:
            raise Ec2Error("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        return group

    def zone_names(self) -> List[str]:
        """Zones of the region, by name."""
        return [zone.name for zone in self.describe_availability_zones()]

    def zone_name(self, name: Any, zone_id: Any) -> Any:
        """The name of the zone that a request means, by name or by id; None if it names none."""
        if not zone_id:
            return name
        found = {zone.zone_id: zone.name for zone in self.describe_availability_zones()}.get(zone_id)
        if found is None or (name and name != found):
            raise Ec2Error("InvalidParameterValue", f"Invalid availability zone ID: [{zone_id}]")
        return found

    @staticmethod
    def new_id(prefix: str) -> str:
        """A random id, as AWS makes them."""
        return f"{prefix}-{secrets.token_hex(9)[:17]}"


def missing(ids: Iterable[str], known: Iterable[str]) -> List[str]:
    """Those of `ids` that are not known, in their order."""
    known = set(known)
    return [identity for identity in ids if identity not in known]


def not_found(code: str, noun: str, ids: List[str]) -> Ec2Error:
    """EC2's error for ids that do not exist, in its own words."""
    if len(ids) == 1:
        return Ec2Error(code, f"The {noun} '{ids[0]}' does not exist")
    return Ec2Error(code, f"The {noun}s '{', '.join(ids)}' do not exist")


def lane_of(volume: Any) -> str:
    """Where work on a volume queues: behind that of its instance, so that a machine does one thing at a time."""
    return str(volume.attachment.instance_id if volume.attachment else volume.id)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The EC2 backend of one region: moto's, with the sandbox's own instances, volumes, images and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Type

from moto.ec2.models import EC2Backend, ec2_backends

from sandbox.ec2.attachments import AttachmentModel
from sandbox.ec2.groups import GroupModel
from sandbox.ec2.images import ImageModel
from sandbox.ec2.instances import InstanceModel
from sandbox.ec2.interfaces import InterfaceModel
from sandbox.ec2.launch import LaunchModel
from sandbox.ec2.profiles import ProfileModel
from sandbox.ec2.snapshots import SnapshotModel
from sandbox.ec2.tokens import Tokens
from sandbox.ec2.volumes import VolumeModel

if TYPE_CHECKING:
    from sandbox.cloud import Cloud


class Backend(
    LaunchModel,
    GroupModel,
    InstanceModel,
    ProfileModel,
    AttachmentModel,
    VolumeModel,
    SnapshotModel,
    ImageModel,
    InterfaceModel,
    EC2Backend,
):
    """One region. `cloud` is set on a subclass, since moto makes backends by itself."""

    cloud: "Cloud"

    def __init__(self, region_name: str, account_id: str) -> None:
        self.tokens = Tokens()
        super().__init__(region_name, account_id)

    def describe_tags(self, filters: Optional[Dict[str, List[str]]] = None) -> List[Dict[str, str]]:
        """Tags; those of one resource by a look into the dictionary, which moto asks for at every turn."""
        ids = (filters or {}).get("resource-id", [])
        if filters is None or set(filters) != {"resource-id"} or any(set("*?[\\") & set(i) for i in ids):
            return super().describe_tags(filters)
        found: List[Dict[str, str]] = []
        for resource_id in ids:
            tags = {resource_id: self.tags[resource_id]} if resource_id in self.tags else {}
            kind = self._kind(resource_id)
            for key, value in tags.get(resource_id, {}).items():
                found.append({"resource_id": resource_id, "key": key, "value": value, "resource_type": kind})
        return found

    @staticmethod
    def _kind(resource_id: str) -> str:
        from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

        return str(EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource_id), ""))


def install(cloud: "Cloud") -> Type[Backend]:
    """Have moto make backends that belong to `cloud`; it makes them when a region is first used."""
    bound: Any = type("CloudBackend", (Backend,), {"cloud": cloud, "__module__": EC2Backend.__module__})
    ec2_backends.backend = bound
    return bound

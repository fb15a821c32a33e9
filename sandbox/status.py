# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `status` shows: every instance with its address, key and volumes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List

from moto.ec2.models import ec2_backends

from sandbox.keys import find_private_key

if TYPE_CHECKING:
    from sandbox.cloud import Cloud


def status_of(cloud: "Cloud") -> Dict[str, Any]:
    """The state of the sandbox as JSON-ready data."""
    with cloud.lock:
        backends = [(region, backend) for _, region, backend in ec2_backends.iter_backends()]
        instances = [_instance(cloud, region, i) for region, b in backends for i in b.instances_by_id().values()]
    for instance in instances:
        instance["key_file"] = find_private_key(instance.pop("public_key"))
    return {
        "endpoint": cloud.settings.endpoint,
        "region": "us-east-1",
        "api_only": cloud.settings.api_only,
        "directory": str(cloud.settings.directory),
        "addresses": cloud.pool.range,
        "pid": os.getpid(),
        "instances": instances,
    }


def _instance(cloud: "Cloud", region: str, instance: Any) -> Dict[str, Any]:
    backend = instance.ec2_backend
    guest = cloud.guest(instance.id)
    key = backend.key_pairs.get(instance.key_name)
    return {
        "id": instance.id,
        "name": backend.tags.get(instance.id, {}).get("Name", ""),
        "state": instance.state,
        "state_reason": instance.state_reason.message if instance.state_reason else "",
        "reachable": instance.reachable,
        "region": region,
        "public_ip": instance.public_ip,
        "door": guest.door if guest else 0,
        "console": str(cloud.hosting.console(instance.id)),
        "private_ip": instance.private_ip,
        "user": cloud.hosting.user,
        "key_name": instance.key_name,
        "public_key": key.public_key if key else "",
        "image_id": instance.image_id,
        "volumes": _volumes(backend, instance),
    }


def _volumes(backend: Any, instance: Any) -> List[Dict[str, Any]]:
    return [
        {
            "id": block.volume_id,
            "name": backend.tags.get(block.volume_id, {}).get("Name", ""),
            "device": device,
            "size": backend.volumes[block.volume_id].size,
            "root": block.volume_id == instance.root_volume_id,
        }
        for device, block in instance.block_device_mapping.items()
        if block.volume_id in backend.volumes
    ]

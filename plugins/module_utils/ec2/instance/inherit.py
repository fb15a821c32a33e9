# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a new instance takes over from the one that it replaces, where the declaration says nothing. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Mapping, Tuple

from ..declaration import Image, Instance
from . import shown
from .differences import Draft

#: Types whose speed is chosen apart from their size; of the others it is only told.
_WITH_IOPS = ("io1", "io2", "gp3")


def inherited(draft: Draft) -> Instance:
    """The declaration, completed by what the old instance has: what is not managed does not change by a replacement."""
    desired, actual, context = draft.desired, draft.actual, draft.context
    raw, details = context.world.raw.get(actual["id"], {}), context.world.details.get(actual["id"], {})
    zones = [context.world.zone_name(zone, draft.where) for zone in desired.zones]
    stays = not zones or actual["zone"] in zones
    same_type = not desired.instance_types or actual["instance_type"] in desired.instance_types
    found: Dict[str, Any] = {
        "image": Image(id=actual["image_id"]),
        "subnet_id": actual["subnet_id"] if stays else None,
        "iam_instance_profile": (raw.get("IamInstanceProfile") or {}).get("Arn"),
        "monitoring": actual["monitoring"] or None,
        "ebs_optimized": actual["ebs_optimized"] or None,
        "market": "spot" if raw.get("InstanceLifecycle") == "spot" else None,
        "stop_protection": details.get("stop_protection") or None,
        "shutdown_behavior": details.get("shutdown_behavior"),
        "cpu_credits": details.get("cpu_credits") if same_type else None,
    }
    missing = {name: value for name, value in found.items() if getattr(desired, name) is None}
    if desired.user_data is None and not desired.user_data_file:
        missing["user_data"] = details.get("user_data_content") or None
    return replace(
        desired,
        instance_types=(actual["instance_type"],) if same_type else desired.instance_types,
        metadata_options={**shown.metadata(raw), **shown.given(desired.metadata_options)},
        placement={**shown.placement(raw), **shown.given(desired.placement)},
        root_volume=_root(draft),
        **missing,
    )


def taken_over(draft: Draft) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Key pair and groups that nobody declares, as RunInstances takes them and as a plan shows them."""
    desired, actual = draft.desired, draft.actual
    request: Dict[str, Any] = {}
    after: Dict[str, Any] = {}
    if desired.key_pair is None and actual["key_pair"]:
        request["KeyName"] = after["key_pair"] = actual["key_pair"]
    if desired.security_groups is None:
        request["SecurityGroupIds"] = [group["id"] for group in actual["security_groups"]]
        after["security_groups"] = sorted(str(group["name"]) for group in actual["security_groups"])
    return request, after


def _root(draft: Draft) -> Mapping[str, Any]:
    """At least as large as the old root volume, and as fast."""
    root = draft.context.world.root_volume(draft.actual["id"])
    declared = shown.given(draft.desired.root_volume)
    if root is None:
        return declared
    kind = declared.get("type", root["type"])
    found: Dict[str, Any] = {"type": kind, "size": root["size"], "delete_on_termination": root["delete_on_termination"]}
    if kind == root["type"] and kind in _WITH_IOPS:
        found.update({name: root[name] for name in ("iops", "throughput") if root[name] and (name == "iops" or kind == "gp3")})
    if root["encrypted"]:
        found["encrypted"] = True
    image = draft.context.world.newest_image(draft.desired.image, draft.where) if draft.desired.image else {}
    for mapping in image.get("BlockDeviceMappings") or ():
        if mapping.get("DeviceName") == image.get("RootDeviceName"):
            found["size"] = max(found["size"], (mapping.get("Ebs") or {}).get("VolumeSize") or 0)
    return {**found, **declared}

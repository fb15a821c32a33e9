# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The root volume of an instance: it grows in place; what it is encrypted with is decided at launch. Pure."""

from __future__ import annotations

from typing import Any, Dict

from ...engine.plan import UNKNOWN, Step
from ..world import Facts
from . import shown
from .differences import Draft


def plan_root(draft: Draft) -> None:
    """What has to happen to the root volume: one ModifyVolume for all that can be modified."""
    wanted = shown.given(draft.desired.root_volume)
    root = draft.context.world.root_volume(draft.actual["id"])
    if not wanted or root is None:
        return
    there: Dict[str, Any] = dict(draft.after["root_volume"])
    _find_fixed(draft, wanted, root)
    if wanted.get("size", root["size"]) < root["size"]:
        wanted.pop("size")
    modified = {name: wanted[name] for name in shown.SIZE_WORDS if wanted.get(name, root[name]) != root[name]}
    if modified:
        draft.running.append(Step("ModifyVolume", {"VolumeId": root["id"], **shown.to_api(modified, shown.SIZE_WORDS)}))
        there.update({name: UNKNOWN for name in ("iops", "throughput") if "type" in modified})
        there.update(modified)
        draft.reasons += [f"{name} {root[name]} of its root volume is to be {value}" for name, value in modified.items()]
    keep = wanted.get("delete_on_termination", root["delete_on_termination"])
    if keep != root["delete_on_termination"]:
        mapping = {"DeviceName": root["device"], "Ebs": {"DeleteOnTermination": keep}}
        draft.running.append(Step("ModifyInstanceAttribute", {"InstanceId": draft.actual["id"], "BlockDeviceMappings": [mapping]}))
        there["delete_on_termination"] = keep
        draft.reasons.append("delete_on_termination of its root volume differs")
    draft.after["root_volume"] = there


def _find_fixed(draft: Draft, wanted: Dict[str, Any], root: Facts) -> None:
    """What no call can change: a smaller size, encryption, and the key."""
    if wanted.get("size", root["size"]) < root["size"]:
        draft.fixed("root_volume", "its root volume cannot shrink", f"{wanted['size']} GiB", f"{root['size']} GiB")
    if wanted.get("encrypted", root["encrypted"]) != root["encrypted"]:
        draft.fixed("root_volume", "encryption of its root volume cannot be changed", wanted["encrypted"], root["encrypted"])
    key = wanted.get("kms_key_id")
    if key and key.startswith("alias/"):
        draft.notes.append("the key of its root volume is declared by an alias, which is not compared")
    elif key and not _same_key(key, root["kms_key_id"]):
        draft.fixed("root_volume", "the key of its root volume cannot be changed", key, root["kms_key_id"])


def _same_key(wanted: str, found: Any) -> bool:
    """The API tells the ARN of a key; its last part is the id by which it may be declared."""
    return str(found) == wanted or str(found).rsplit("/", 1)[-1] == wanted

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances: found by their tags, changed in place where AWS can, stopped only where that was allowed. Pure."""

from __future__ import annotations

from ...engine.errors import Refused
from ...engine.plan import Change, Step
from ..context import Context, protect
from ..declaration import Instance
from ..world import Facts
from .launch import create
from .replace import cancel_request
from .shown import KIND, shown
from .update import update

__all__ = ["KIND", "delete", "plan"]


def plan(desired: Instance, context: Context) -> Change:
    """What has to happen to one instance."""
    actual = context.world.instance(desired.name)
    if actual is None:
        return create(desired, context)
    return update(desired, actual, context)


def delete(actual: Facts, name: str, context: Context) -> Change:
    """Terminate it. Volumes attached to it afterwards stay."""
    protect(KIND, name, actual["tags"])
    root = context.world.raw.get(actual["id"], {}).get("RootDeviceName")
    for volume in context.world.volumes:
        # AWS deletes it along with the instance; the root volume has the tags of the instance itself.
        if volume["instance_id"] == actual["id"] and volume["delete_on_termination"] and volume["device"] != root:
            protect("volume", volume["member"] or volume["name"] or volume["id"], volume["tags"])
    steps = []
    if context.world.details.get(actual["id"], {}).get("termination_protection"):
        declared = context.instances.get(name)
        if declared is None or declared.termination_protection is not False:
            raise Refused(
                "is protected against termination",
                resource=f"{KIND} {name}",
                found=f"{actual['id']} with termination_protection true",
                do="If it is really to go, declare termination_protection: false for it.",
            )
        steps.append(Step("ModifyInstanceAttribute", {"InstanceId": actual["id"], "DisableApiTermination": {"Value": False}}))
    steps += cancel_request(context.world.raw.get(actual["id"], {}))
    steps.append(Step("TerminateInstances", {"InstanceIds": [actual["id"]]}))
    return Change(KIND, name, "delete", shown(actual, context), None, ("is declared absent",), tuple(steps))

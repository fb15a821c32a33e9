# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Differences that AWS cannot simply change, and what the declaration allows to do about each (`on_change`). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List

from ...engine.errors import Refused
from ...engine.plan import Step
from ..context import Context
from ..declaration import Instance
from ..world import Facts
from . import shown

#: What only a launch decides.
FIXED = ("image", "zone", "subnet_id", "key_pair", "private_ip", "tenancy", "market", "root_volume")
#: What can be changed while the instance is stopped.
WHILE_STOPPED = ("instance_type", "user_data", "ebs_optimized", "placement")
_UP = ("pending", "running")


@dataclass
class Draft:
    """A change in the making: what can be done while it runs, and what needs it stopped."""

    desired: Instance
    actual: Facts
    context: Context
    after: Dict[str, Any]
    running: List[Step] = field(default_factory=list)
    stopped: List[Step] = field(default_factory=list)
    reasons: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    #: Why a new instance has to take its place, where that is allowed.
    replacing: List[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"{shown.KIND} {self.desired.name}"

    @property
    def up(self) -> bool:
        return self.actual["state"] in _UP

    def policy(self, name: str) -> str:
        """What `on_change` allows for the attribute `name`."""
        return self.desired.on_change.get(name, "refuse")

    def fixed(self, name: str, why: str, wanted: Any, found: Any) -> None:
        """A difference that only a launch can settle: ignored with a note, or by a new instance, where allowed; else refused."""
        if self.policy(name) == "ignore":
            self.notes.append(f"{why} (found {found}, declared {wanted}); on_change.{name} is ignore")
            return
        if self.policy(name) == "replace":
            self.replacing.append(f"{name} {found} is to be {wanted}")
            return
        do = f"It is fixed at launch: declare what it has, or allow a new one to take its place with on_change: {{{name}: replace}}."
        raise Refused(
            why, resource=self.where, wanted=str(wanted), found=str(found), do=f"{do} on_change: {{{name}: ignore}} keeps what there is."
        )

    def may_change_stopped(self, name: str, why: str, wanted: Any, found: Any) -> bool:
        """Whether a difference is to be settled while the instance is stopped; refused where a restart is not allowed."""
        policy = self.policy(name)
        if policy == "ignore":
            self.notes.append(f"has another {name} (found {found}, declared {wanted}); on_change.{name} is ignore")
            return False
        if policy == "replace":
            self.replacing.append(f"{name} {found} is to be {wanted}")
            return False
        if self.up and policy != "restart":
            raise Refused(
                why,
                resource=self.where,
                wanted=str(wanted),
                found=str(found),
                do=f"Allow it with on_change: {{{name}: restart}}; the public address changes unless it has an Elastic IP.",
            )
        self.reasons.append(f"{name} {found} is to be {wanted}")
        return True


def find_fixed(draft: Draft) -> None:
    """What is chosen at launch and never again."""
    desired, actual, world = draft.desired, draft.actual, draft.context.world
    zones = [world.zone_name(zone, draft.where) for zone in desired.zones]
    if zones and actual["zone"] not in zones:
        draft.fixed("zone", "is in another zone", " or ".join(zones), actual["zone"])
    for name in ("key_pair", "subnet_id", "private_ip"):
        wanted = getattr(desired, name)
        if wanted is not None and wanted != actual[name]:
            draft.fixed(name, f"was launched with another {name}", wanted, actual[name])
    tenancy = shown.given(desired.placement).get("tenancy")
    found = draft.after["placement"].get("tenancy", "default")
    if tenancy not in (None, found):
        draft.fixed("tenancy", "was launched with another tenancy", tenancy, found)
    market = draft.after["market"]
    if desired.market not in (None, market):
        draft.fixed("market", "was launched in another market", desired.market, market)
    _find_image(draft)


def _find_image(draft: Draft) -> None:
    image, found = draft.desired.image, draft.actual["image_id"]
    if image is None:
        return
    if image.id and image.id != found:
        draft.fixed("image", "was launched from another image", image.id, found)
    if not image.id:
        newest = draft.context.world.newest_image(image, draft.where)
        if newest["ImageId"] != found and draft.policy("image") == "replace":
            draft.replacing.append(f"image {found} is to be {newest['ImageId']} ({newest.get('Name')})")
        elif newest["ImageId"] != found:
            draft.notes.append(f"runs {found}; a newer image is there: {newest['ImageId']} ({newest.get('Name')})")


def find_stopped(draft: Draft) -> None:
    """What can be changed only while the instance is stopped."""
    desired, actual = draft.desired, draft.actual
    target = {"InstanceId": actual["id"]}
    types, found = desired.instance_types, actual["instance_type"]
    why = "another {} needs a stop and a start"
    if types and found not in types and draft.may_change_stopped("instance_type", why.format("instance type"), types[0], found):
        draft.after["instance_type"] = types[0]
        draft.stopped.append(Step("ModifyInstanceAttribute", {**target, "InstanceType": {"Value": types[0]}}))
    wanted = desired.ebs_optimized
    if wanted not in (None, actual["ebs_optimized"]) and draft.may_change_stopped(
        "ebs_optimized", why.format("ebs_optimized"), wanted, actual["ebs_optimized"]
    ):
        draft.after["ebs_optimized"] = wanted
        draft.stopped.append(Step("ModifyInstanceAttribute", {**target, "EbsOptimized": {"Value": wanted}}))
    there = draft.after["placement"]
    place = {name: value for name, value in shown.given(desired.placement).items() if name != "tenancy" and value != there.get(name)}
    if place and draft.may_change_stopped("placement", why.format("placement"), place, {name: there.get(name) for name in place}):
        draft.after["placement"] = {**there, **place}
        draft.stopped.append(Step("ModifyInstancePlacement", {**target, **shown.to_api(place, shown.PLACEMENT_WORDS)}))

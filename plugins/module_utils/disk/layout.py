# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The device that carries the filesystem, or will: adopted, made on a blank disk, or refused. Pure: no call, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Tuple

from ..engine.errors import Busy, InvalidInput, Refused
from ..engine.plan import Change, Step
from . import mounts
from .filesystems import KINDS, SLACK, Kind, filled
from .probe import current_node, mounts_of
from .state import MIB, Desired, Disk, Node, State, Text, size_text

#: What is left behind the partition when it fills the disk: less than one step of alignment, and the backup table.
_END = 2 * MIB
_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


@dataclass(frozen=True)
class Layout:
    """The device that will carry the filesystem, and what has to be done for that."""

    node: str
    kind: Kind
    uuid: Text
    size: Any
    new: bool
    changes: Tuple[Change, ...] = ()


def not_ours(disk: Disk, found: str) -> Refused:
    """The error for a disk that is neither blank nor carries what was declared."""
    from . import erase

    way = f"declare `{erase.hint(disk)}`" if erase.hint(disk) else "erase it yourself (wipefs -a) after a look at it"
    return Refused(
        "is not blank, and what is on it is not this declaration's: nothing was touched",
        resource=f"disk {disk.node.path}",
        wanted="a blank disk, or one ext4 or xfs filesystem on it",
        found=found,
        do=f"If the data is not needed, {way}; else declare another volume.",
    )


def adopted(desired: Desired, state: State, disk: Disk, node: Node) -> Layout:
    """The layout of a disk that carries a filesystem of a kind that we know."""
    found = node.signature
    if found.kind not in KINDS or found.kind != (desired.filesystem or found.kind):
        raise not_ours(disk, f"{found} on {node.path}")
    if not found.uuid:
        raise Refused("its filesystem has no UUID to mount it by", resource=f"disk {disk.node.path}", do=_new_uuid(node))
    if node.start + node.size > disk.node.size:
        raise not_ours(disk, f"a partition that ends behind the disk ({size_text(disk.node.size)})")
    layout = Layout(node.path, KINDS[found.kind], found.uuid, node.size, False)
    twins = [name for name in state.uuids.get(found.uuid, ()) if name != node.name]
    if twins:
        layout = _beside_twins(desired, state, layout, node, twins)
    return _grown(desired, disk, node, layout)


def _new_uuid(node: Node) -> str:
    return f"Give it one, unmounted (ext4: e2fsck -f, then tune2fs -U random {node.path}; xfs: xfs_admin -U generate {node.path})."


def _beside_twins(desired: Desired, state: State, layout: Layout, node: Node, twins: List[str]) -> Layout:
    """One of several filesystems with one UUID, as after a restore from a snapshot: given a new one on request, or refused."""
    found, new = node.signature.uuid, state.derived("filesystem")
    shown = f"UUID {found} on {node.name} and {', '.join(twins)}"
    if any(mount.path == desired.path for mount in mounts_of(state)):
        note = f"{shown}: at the next boot either could be mounted. Declare the copy with `duplicate_uuid: renew`, or detach it"
        return replace(layout, changes=(Change("filesystem", node.path, "none", notes=(note,)),))
    if desired.duplicate_uuid != "renew" or new == found:
        do = (
            "This is the volume that the UUID was made for: declare the copy with `duplicate_uuid: renew`, before this one."
            if new == found
            else "If this is the copy (a volume restored from a snapshot), declare it with `duplicate_uuid: renew`. " + _new_uuid(node)
        )
        raise Refused(
            f"its filesystem has the same UUID as {', '.join(twins)}: mounting by UUID could take either",
            resource=f"disk /dev/{node.name}",
            found=shown,
            do=do,
        )
    spot = f"/run/steadfast-disk/log-{new}"
    mounted = [mount.path for mount in mounts_of(state) if mount.path != spot]
    if mounted:
        do = "Unmount it first (`state: absent` with that path)."
        raise Busy("is mounted, so its UUID cannot be changed", resource=node.path, found=", ".join(mounted), do=do)
    if state.uuids.get(str(new)):
        raise Refused(
            "the new UUID is in use, too", resource=node.path, found=f"{new} on {', '.join(state.uuids[str(new)])}", do=_new_uuid(node)
        )
    commands = [(filled(argv, uuid=new, node=node.path), ok) for argv, ok in layout.kind.renew]
    steps = [Step(argv[0], {"argv": argv, "ok": ok}) for argv, ok in commands]
    if layout.kind.replay:
        # A log that was not written out yet, as in a snapshot of a mounted filesystem, is written out by mounting it.
        aside = {"node": node.path, "kind": layout.kind.name, "path": spot, "options": layout.kind.replay}
        steps = [Step("mount_aside", aside), Step("umount", {"argv": ("umount", spot)}), *steps]
    steps.append(Step("wait_for_link", {"uuid": new}))
    reasons = (f"it has the same UUID as {', '.join(twins)}",)
    change = Change("filesystem", node.path, "update", {"uuid": found}, {"uuid": new}, reasons, tuple(steps))
    return replace(layout, uuid=new, changes=(change,))


def _grown(desired: Desired, disk: Disk, node: Node, layout: Layout) -> Layout:
    """The layout with its partition as large as the disk lets it be."""
    free = disk.node.size - node.start - node.size
    if not (desired.grow and node is not disk.node and free >= _END):
        return layout
    rule = _unless_grown(desired) or ("" if disk.node.signature.table == "gpt" else "only GPT partitions are grown")
    if rule:
        note = f"the disk has {size_text(free)} behind the partition; {rule}"
        return replace(layout, changes=(*layout.changes, Change("partition", node.path, "none", notes=(note,))))
    number = re.sub(r"^.*\D", "", node.name)
    before, after = {"size": size_text(node.size)}, {"size": size_text(disk.node.size - node.start)}
    grow = ("sfdisk", "--quiet", "--no-reread", "--wipe", "never", "--wipe-partitions", "never", "-N", number, disk.node.path)
    steps = (
        Step("sfdisk", {"argv": grow, "text": ", +\n"}),
        Step("partx", {"argv": ("partx", "-u", disk.node.path)}),
        Step("wait_for_udev", {"partition": node.name}),
    )
    reasons = (f"the disk has {size_text(free)} behind the partition",)
    change = Change("partition", node.path, "update", before, after, reasons, steps)
    return replace(layout, size=disk.node.size - node.start, changes=(*layout.changes, change))


def updated(desired: Desired, state: State, layout: Layout) -> List[Change]:
    """Growth and label of a filesystem that was there before; both work while it is mounted."""
    node = current_node(state.disk)
    if layout.new or node is None:
        return []
    values = {"node": layout.node, "path": desired.path, "label": desired.label}
    before: Dict[str, Any] = {}
    after: Dict[str, Any] = {}
    steps: List[Step] = []
    if len((desired.label or "").encode()) > layout.kind.longest_label:
        raise InvalidInput(
            f"longer than {layout.kind.name} allows ({layout.kind.longest_label})",
            resource="label",
            found=desired.label or "",
            do="Use a shorter one.",
        )
    if desired.label is not None and desired.label != node.signature.label:
        if re.search(r"\s", desired.label) and not layout.kind.blanks:
            do = "Leave the blanks out."
            raise InvalidInput(f"{layout.kind.name} takes blanks only when it is made", resource="label", found=desired.label, do=do)
        before["label"], after["label"] = node.signature.label, desired.label
        steps.append(command(filled(layout.kind.relabel, **values)))
    free = layout.size - state.geometry.size if state.geometry.size else 0
    rule = _unless_grown(desired)
    if desired.grow and free >= SLACK and not rule:
        before["size"], after["size"] = size_text(state.geometry.size), size_text(layout.size)
        steps.append(command(filled(layout.kind.grow, **values)))
    found = [Change("filesystem", layout.node, "update", before, after, (), tuple(steps))] if steps else []
    if desired.grow and free >= SLACK and rule:
        note = f"the filesystem leaves {size_text(free)} of its device unused; {rule}"
        found.append(Change("filesystem", layout.node, "none", notes=(note,)))
    return found


def _unless_grown(desired: Desired) -> str:
    """Why nothing is grown at all, or ""."""
    return "what is mounted read-only is not grown" if mounts.wanted(desired.options)["write"] == "ro" else ""


def command(argv: Tuple[str, ...]) -> Step:
    """The step that runs a program."""
    return Step(argv[0], {"argv": argv})

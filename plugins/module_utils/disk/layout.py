# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The device that carries the filesystem, or will: adopted, made on a blank disk, or refused. Pure: no call, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Tuple

from ..engine.errors import Busy, InvalidInput, NotFound, Refused
from ..engine.plan import UNKNOWN, Change, Step
from . import erase
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


def layout_of(desired: Desired, state: State) -> Layout:
    """Where the filesystem is or will be, with what has to be done for that; refuses a disk that is neither blank nor ours."""
    disk = state.disk
    if disk is None:
        raise NotFound("no such disk on this machine", resource=desired.name)
    erased = erase.planned(desired, state, disk) if desired.erase else ()
    if erased:
        made = _created(desired, state, erase.emptied(disk))
        return replace(made, changes=(*erased, *made.changes))
    if len(disk.partitions) > 1 or len(disk.untold) > 1:
        listing = ", ".join(f"{part.name}: {part.signature}" for part in disk.partitions)
        raise _not_ours(disk, f"{len(disk.partitions or disk.untold)} partitions ({listing})")
    node = current_node(disk) or disk.node
    for held in (*disk.node.held, *node.held):
        if not (held.startswith("opened") and mounts_of(state)):
            raise _not_ours(disk, held)
    if node.signature.kind and not node.signature.unclear:
        return _adopted(desired, state, disk, node)
    if disk.node.signature.unclear or node.signature.unclear:
        raise _not_ours(disk, str(node.signature if node.signature.unclear else disk.node.signature))
    return _created(desired, state, disk)


def _not_ours(disk: Disk, found: str) -> Refused:
    way = f"declare `{erase.hint(disk)}`" if erase.hint(disk) else "erase it yourself (wipefs -a) after a look at it"
    return Refused(
        "is not blank, and what is on it is not this declaration's: nothing was touched",
        resource=f"disk {disk.node.path}",
        wanted="a blank disk, or one ext4 or xfs filesystem on it",
        found=found,
        do=f"If the data is not needed, {way}; else declare another volume.",
    )


def _created(desired: Desired, state: State, disk: Disk) -> Layout:
    """The layout of a disk that is blank, or whose partitioning by us was interrupted before the filesystem was made."""
    ours = str(state.derived("partition"))
    partition = disk.partitions[0] if disk.partitions else None
    told = partition.part_uuid if partition else "".join(disk.untold)
    if disk.node.signature.table and (not told or told != ours):
        raise _not_ours(disk, f"{disk.node.signature} with {'a partition that we did not make' if told else 'no partition'}")
    if not disk.inside.blank:
        table = "a partition that the kernel does not show (is the table damaged?)" if told else "no partition table"
        raise _not_ours(disk, f"{table}, but {disk.inside} at 1 MiB, where a partition would begin")
    if disk.remains:
        raise _not_ours(disk, disk.remains)
    if disk.read_only:
        raise Refused("is read-only and has no filesystem", resource=f"disk {disk.node.path}", do="Attach it writable.")
    changes: Tuple[Change, ...] = ()
    node = disk.node.path if disk.node.name else str(UNKNOWN)
    if told or desired.partition:
        node = f"{node}p1" if node[-1].isdigit() else f"{node}1" if disk.node.name else node
        changes = () if partition else (_partition(state, disk, node, bool(told)),)
    return _made(desired, state, disk, node, changes)


def _made(desired: Desired, state: State, disk: Disk, node: str, changes: Tuple[Change, ...]) -> Layout:
    kind = KINDS[desired.filesystem or "ext4"]
    uuid = state.derived("filesystem")
    twins = [name for name in state.uuids.get(str(uuid), ()) if not re.fullmatch(rf"{disk.node.name}(p?\d+)?", name)]
    if twins:
        raise Refused(
            f"the UUID of its new filesystem is in use on {', '.join(twins)}, which was copied from it",
            resource=f"disk {disk.node.path}",
            found=f"UUID {uuid} on {', '.join(twins)}",
            do="First give the copy another one, unmounted (tune2fs -U random, or xfs_admin -U generate).",
        )
    values = {"uuid": uuid, "node": node, "label": desired.label}
    extra = (kind.make_label if desired.label else ()) + tuple(word.replace("{", "{{").replace("}", "}}") for word in desired.mkfs)
    argv = filled(kind.make[:-1] + extra + kind.make[-1:], **values)
    after = {"device": node, "type": kind.name, "uuid": uuid, "label": desired.label or "", "options": " ".join(desired.mkfs)}
    steps = (Step(argv[0], {"argv": argv, "blank": node}), Step("wait_for_link", {"uuid": uuid}))
    made = Change("filesystem", node, "create", None, after, ("the device is blank",), steps)
    return Layout(node, kind, uuid, disk.node.size, True, (*changes, made))


def _partition(state: State, disk: Disk, node: str, told: bool) -> Change:
    wait = Step("wait_for_partition", {"disk": disk.node.name, "partition": node.rsplit("/", 1)[-1]})
    reasons = ("the kernel was not told of the partition",) if told else ("the disk is blank",)
    # A serial number can have any character; in the script of sfdisk only these mean themselves.
    name = re.sub(r"[^A-Za-z0-9._:-]", "_", state.seed)[:36]
    table, part = state.derived("table"), state.derived("partition")
    after = {"device": node, "table": "gpt", "start": "1 MiB", "uuid": part, "name": name}
    if told:
        return Change("partition", node, "update", {"device": None}, {"device": node}, reasons, (wait,))
    script = f'label: gpt\nlabel-id: {table}\nunit: sectors\n\nstart={MIB // disk.sector}, type={_LINUX}, uuid={part}, name="{name}"\n'
    argv = ("sfdisk", "--quiet", "--wipe", "never", "--wipe-partitions", "never", disk.node.path)
    steps = (Step("sfdisk", {"argv": argv, "text": script, "blank": disk.node.path}), wait)
    return Change("partition", node, "create", None, after, reasons, steps)


def _adopted(desired: Desired, state: State, disk: Disk, node: Node) -> Layout:
    """The layout of a disk that carries a filesystem of a kind that we know."""
    found = node.signature
    if found.kind not in KINDS or found.kind != (desired.filesystem or found.kind):
        raise _not_ours(disk, f"{found} on {node.path}")
    if not found.uuid:
        raise Refused("its filesystem has no UUID to mount it by", resource=f"disk {disk.node.path}", do=_new_uuid(node))
    if node.start + node.size > disk.node.size:
        raise _not_ours(disk, f"a partition that ends behind the disk ({size_text(disk.node.size)})")
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
    if disk.node.signature.table != "gpt":
        note = f"the disk has {size_text(free)} behind the partition; only GPT partitions are grown"
        return replace(layout, changes=(*layout.changes, Change("partition", node.path, "none", notes=(note,))))
    number = re.sub(r"^.*\D", "", node.name)
    before, after = {"size": size_text(node.size)}, {"size": size_text(disk.node.size - node.start)}
    grow = ("sfdisk", "--quiet", "--no-reread", "--wipe", "never", "--wipe-partitions", "never", "-N", number, disk.node.path)
    steps = (
        Step("sfdisk", {"argv": grow, "text": ", +\n"}),
        Step("partx", {"argv": ("partx", "-u", disk.node.path)}),
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
    if desired.grow and state.geometry.size and layout.size - state.geometry.size >= SLACK:
        before["size"], after["size"] = size_text(state.geometry.size), size_text(layout.size)
        steps.append(command(filled(layout.kind.grow, **values)))
    return [Change("filesystem", layout.node, "update", before, after, (), tuple(steps))] if steps else []


def command(argv: Tuple[str, ...]) -> Step:
    """The step that runs a program."""
    return Step(argv[0], {"argv": argv})

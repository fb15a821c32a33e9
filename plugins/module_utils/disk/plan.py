# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what is declared and what was found to what has to be done, or to a refusal. Pure: no call, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple

from ..engine.errors import Busy, NotFound, Refused
from ..engine.plan import UNKNOWN, Change, Plan, Step
from . import content, fstab, mounts
from .filesystems import KINDS, SLACK, Kind, filled
from .machine import PACKAGES, missing
from .probe import current_node, mounts_of
from .state import MIB, Desired, Disk, Mount, Node, State, Text, size_text

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


def plan(desired: Desired, state: State) -> Plan:
    """Everything that has to happen, in order; raises before anything does where something must not be touched."""
    if desired.state != "mounted":
        return Plan(_leave(desired, state))
    layout = _layout(desired, state)
    here = _mounted_here(desired, state, layout)
    changes = [*layout.changes]
    if here is None:
        changes += content.moved(desired, state, layout)
    line = _fstab(desired, state, layout)
    changes += [*line, *_mount(desired, state, layout, here, bool(line))]
    changes += _filesystem_update(desired, state, layout)
    changes += _attributes(desired, state, layout, here)
    changes += content.old_copy(desired, state, layout)
    _programs_present(changes, state)
    return Plan(tuple(changes))


def uuid_name(uuid: Text) -> str:
    """How fstab names a filesystem."""
    return f"UUID={uuid}"


# --- partition and filesystem -----------------------------------------------------------------------------------------


def _layout(desired: Desired, state: State) -> Layout:
    disk = state.disk
    if disk is None:
        raise NotFound("no such disk on this machine", resource=desired.name)
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
    return Refused(
        "is not blank, and what is on it is not this declaration's: nothing was touched",
        resource=f"disk {disk.node.path}",
        wanted="a blank disk, or one ext4 or xfs filesystem on it",
        found=found,
        do="If the data is not needed, erase it yourself (wipefs -a) after a look at it; else declare another volume.",
    )


def _created(desired: Desired, state: State, disk: Disk) -> Layout:
    """The layout of a disk that is blank, or whose partitioning by us was interrupted before the filesystem was made."""
    ours = str(state.derived("partition"))
    partition = disk.partitions[0] if disk.partitions else None
    told = partition.part_uuid if partition else "".join(disk.untold)
    if disk.node.signature.table and (not told or told != ours):
        raise _not_ours(disk, f"{disk.node.signature} with {'a partition that we did not make' if told else 'no partition'}")
    if not disk.inside.blank:
        raise _not_ours(disk, f"no partition table, but {disk.inside} at 1 MiB, where a partition would begin")
    if disk.remains:
        raise _not_ours(disk, disk.remains)
    if disk.read_only:
        raise Refused("is read-only and has no filesystem", resource=f"disk {disk.node.path}", do="Attach it writable.")
    kind = KINDS[desired.filesystem or "ext4"]
    changes: Tuple[Change, ...] = ()
    node = disk.node.path if disk.node.name else str(UNKNOWN)
    if told or desired.partition:
        node = f"{node}p1" if node[-1].isdigit() else f"{node}1" if disk.node.name else node
        changes = () if partition else (_partition(state, disk, node, bool(told)),)
    uuid = state.derived("filesystem")
    values = {"uuid": uuid, "node": node, "label": desired.label}
    argv = filled(kind.make[:-1] + (kind.make_label if desired.label else ()) + kind.make[-1:], **values)
    after = {"device": node, "type": kind.name, "uuid": uuid, "label": desired.label or ""}
    steps = (Step(argv[0], {"argv": argv, "blank": node}), Step("wait_for_link", {"uuid": uuid}))
    made = Change("filesystem", node, "create", None, after, ("the device is blank",), steps)
    return Layout(node, kind, uuid, disk.node.size, True, (*changes, made))


def _partition(state: State, disk: Disk, node: str, told: bool) -> Change:
    wait = Step("wait_for_partition", {"disk": disk.node.name, "partition": node.rsplit("/", 1)[-1]})
    reasons = ("the kernel was not told of the partition",) if told else ("the disk is blank",)
    table, part = state.derived("table"), state.derived("partition")
    after = {"device": node, "table": "gpt", "start": "1 MiB", "uuid": part, "name": state.seed[:36]}
    if told:
        return Change("partition", node, "update", {"device": None}, {"device": node}, reasons, (wait,))
    script = (
        f"label: gpt\nlabel-id: {table}\nunit: sectors\n\n"
        f'start={MIB // disk.sector}, type={_LINUX}, uuid={part}, name="{state.seed[:36]}"\n'
    )
    argv = ("sfdisk", "--quiet", "--wipe", "never", "--wipe-partitions", "never", disk.node.path)
    steps = (Step("sfdisk", {"argv": argv, "text": script, "blank": disk.node.path}), wait)
    return Change("partition", node, "create", None, after, reasons, steps)


def _adopted(desired: Desired, state: State, disk: Disk, node: Node) -> Layout:
    """The layout of a disk that carries a filesystem of a kind that we know."""
    found = node.signature
    if found.kind not in KINDS or found.kind != (desired.filesystem or found.kind):
        raise _not_ours(disk, f"{found} on {node.path}")
    twins = [name for name in state.uuids.get(found.uuid, ()) if name != node.name]
    if twins or not found.uuid:
        raise Refused(
            f"its filesystem has the same UUID as {', '.join(twins)}: mounting by UUID could take either",
            resource=f"disk {disk.node.path}",
            found=f"UUID {found.uuid} on {node.name} and {', '.join(twins)}",
            do="A volume restored from a snapshot belongs on another machine; or give the copy, unmounted, "
            f"a new UUID (ext4: e2fsck -f, then tune2fs -U random {node.path}; xfs: xfs_admin -U generate {node.path}).",
        )
    if node.start + node.size > disk.node.size:
        raise _not_ours(disk, f"a partition that ends behind the disk ({size_text(disk.node.size)})")
    layout = Layout(node.path, KINDS[found.kind], found.uuid, node.size, False)
    free = disk.node.size - node.start - node.size
    if not (desired.grow and node is not disk.node and free >= _END):
        return layout
    if disk.node.signature.table != "gpt":
        note = f"the disk has {size_text(free)} behind the partition; only GPT partitions are grown"
        return replace(layout, changes=(Change("partition", node.path, "none", notes=(note,)),))
    number = re.sub(r"^.*\D", "", node.name)
    before, after = {"size": size_text(node.size)}, {"size": size_text(disk.node.size - node.start)}
    grow = ("sfdisk", "--quiet", "--no-reread", "--wipe", "never", "--wipe-partitions", "never", "-N", number, disk.node.path)
    steps = (
        Step("sfdisk", {"argv": grow, "text": ", +\n"}),
        Step("partx", {"argv": ("partx", "-u", disk.node.path)}),
    )
    reasons = (f"the disk has {size_text(free)} behind the partition",)
    change = Change("partition", node.path, "update", before, after, reasons, steps)
    return replace(layout, size=disk.node.size - node.start, changes=(change,))


def _filesystem_update(desired: Desired, state: State, layout: Layout) -> List[Change]:
    """Growth and label of a filesystem that was there before; both work while it is mounted."""
    node = current_node(state.disk)
    if layout.new or node is None:
        return []
    values = {"node": layout.node, "path": desired.path, "label": desired.label}
    before: Dict[str, Any] = {}
    after: Dict[str, Any] = {}
    steps: List[Step] = []
    if desired.label is not None and desired.label != node.signature.label:
        before["label"], after["label"] = node.signature.label, desired.label
        steps.append(_command(filled(layout.kind.relabel, **values)))
    if desired.grow and state.geometry.size and layout.size - state.geometry.size >= SLACK:
        before["size"], after["size"] = size_text(state.geometry.size), size_text(layout.size)
        steps.append(_command(filled(layout.kind.grow, **values)))
    return [Change("filesystem", layout.node, "update", before, after, (), tuple(steps))] if steps else []


def _command(argv: Tuple[str, ...]) -> Step:
    return Step(argv[0], {"argv": argv})


# --- fstab and mount --------------------------------------------------------------------------------------------------


def _mounted_here(desired: Desired, state: State, layout: Layout) -> Optional[Mount]:
    """The mount of our filesystem at the path, or None; refuses where either is taken by something else."""
    path = str(desired.path)
    if state.folder.real not in ("", path):
        found = state.folder.real
        raise Refused("is not a plain directory", resource=path, found=found, do="Give the path without symbolic links.")
    here = mounts.at(state.mounts, path)
    ours = mounts_of(state)
    if here is not None and here not in ours:
        raise Refused(
            "something else is mounted there",
            resource=path,
            wanted=layout.node,
            found=f"{here.source} ({here.kind})",
            do=f"Unmount it, or declare another path for {desired.name}.",
        )
    elsewhere = [mount.path for mount in ours if mount.path not in (path, content.aside(layout.uuid))]
    if here is None and elsewhere:
        raise Refused(
            "its filesystem is mounted elsewhere",
            resource=desired.name,
            wanted=path,
            found=", ".join(elsewhere),
            do=f"To move the mount point, first declare `path: {elsewhere[0]}` with `state: absent`.",
        )
    if state.disk and state.disk.read_only and mounts.wanted(desired.options)["write"] == "rw":
        raise Refused("is read-only", resource=layout.node, do="Add `ro` to `mount_options`, or attach it writable.")
    if state.geometry.errors:
        raise Refused(
            "its filesystem has recorded errors",
            resource=layout.node,
            do=f"Unmount it, check it (e2fsck -p {layout.node}), and run again.",
        )
    return here


def _fstab(desired: Desired, state: State, layout: Layout) -> List[Change]:
    path = str(desired.path)
    entry = fstab.Entry(uuid_name(layout.uuid), path, layout.kind.name, desired.options, "0", "2")
    node = current_node(state.disk)

    def ours(line: fstab.Entry) -> bool:
        return line.source == entry.source or line.path == path or _means(line, state, node)

    for line in (line.entry for line in fstab.parse(state.table)):
        if line and line.path == path and not (line.source == entry.source or _gone(line, state, node)):
            raise Refused(
                "/etc/fstab mounts something else there",
                resource=path,
                wanted=entry.source,
                found=line.source,
                do="Remove that line, or declare another path.",
            )
    after = fstab.place(state.table, entry, ours)
    if after == state.table:
        return []
    shown = {"lines": fstab.lines_of(state.table, ours)}
    steps = (
        Step("make_directory", {"path": path}),
        Step("write_fstab", {"before": state.table, "after": after, "path": path}),
        Step("daemon_reload", {}),
    )
    before = shown if shown["lines"] else None
    return [Change("fstab", path, "update" if before else "create", before, {"lines": str(entry)}, (), steps)]


def _means(line: fstab.Entry, state: State, node: Optional[Node]) -> bool:
    """Whether a line names our own device, in whatever way."""
    return node is not None and node.name != "" and state.sources.get(line.source) == node.name


def _gone(line: fstab.Entry, state: State, node: Optional[Node]) -> bool:
    """Whether a line names our own device by another name, or a block device that is no longer there."""
    if state.sources.get(line.source):
        return _means(line, state, node)
    return line.source.startswith(("UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "/dev/"))


def _mount(desired: Desired, state: State, layout: Layout, here: Optional[Mount], reloaded: bool) -> List[Change]:
    path = str(desired.path)
    source = uuid_name(layout.uuid)
    if here is None:
        options = ",".join(mounts.kernel_options(desired.options))
        argv = ("mount", "-t", layout.kind.name, *(("-o", options) if options else ()), layout.node, path)
        after = {"source": source, "path": path, "options": ",".join(desired.options)}
        # A unit of an older fstab, for another device, would make systemd unmount it again.
        reload = () if reloaded else (Step("make_directory", {"path": path}), Step("daemon_reload", {}))
        steps = (*reload, Step("mount", {"argv": argv}), Step("restore_context", {"path": path}))
        return [Change("mount", path, "create", None, after, (), steps)]
    different = mounts.difference(desired.options, here)
    if not different:
        return []
    before = {what: now for what, (now, _then) in different.items()}
    after = {what: then for what, (_now, then) in different.items()}
    argv = ("mount", "-o", f"remount,{mounts.remount_options(desired.options)}", path)
    return [Change("mount", path, "update", before, after, ("the options in force differ",), (_command(argv),))]


def _attributes(desired: Desired, state: State, layout: Layout, here: Optional[Mount]) -> List[Change]:
    """Owner and mode of the mounted root, never of the directory that it hides."""
    wanted = {"uid": desired.uid, "gid": desired.gid, "mode": desired.mode}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    moving = here is None and desired.content == "move" and bool(state.folder.names)
    if here is not None or moving:
        actual = {"uid": state.folder.uid, "gid": state.folder.gid, "mode": state.folder.mode}
    elif layout.new:
        actual = {"uid": 0, "gid": 0, "mode": "0755"}
    else:
        actual = dict.fromkeys(wanted, UNKNOWN)
    different = {name: value for name, value in wanted.items() if value != actual[name]}
    if not different:
        return []
    before = {name: actual[name] for name in different}
    step = Step("set_attributes", {"path": desired.path, **different})
    return [Change("directory", str(desired.path), "update", before, different, (), (step,))]


# --- unmounted and absent ---------------------------------------------------------------------------------------------


def _leave(desired: Desired, state: State) -> Tuple[Change, ...]:
    """Unmount, then (absent) take the line out of fstab; busy → nothing happens at all."""
    places = (None, desired.path, *(mount.path for mount in mounts_of(state) if mount.path.startswith(content.aside(""))))
    leaving = [mount for mount in mounts_of(state) if desired.path is None or mount.path in places]
    if state.holders:
        raise Busy(
            "is in use: nothing was changed",
            resource=leaving[0].path if leaving else desired.name,
            found="; ".join(str(holder) for holder in state.holders),
            do="Stop these processes (or their services) and run again.",
        )
    for mount in leaving:
        inner = [other for other in mounts.below(state.mounts, mount.path) if other not in leaving]
        if inner:
            found = ", ".join(f"{other.source} at {other.path}" for other in inner)
            raise Busy("other filesystems are mounted below it", resource=mount.path, found=found, do="Unmount them first.")
    changes = [
        Change("mount", mount.path, "delete", {"source": mount.source, "path": mount.path}, None, (), (_command(("umount", mount.path)),))
        for mount in reversed(leaving)
    ]
    return (*changes, *_forgotten(desired, state)) if desired.state == "absent" else tuple(changes)


def _forgotten(desired: Desired, state: State) -> List[Change]:
    node = current_node(state.disk)
    known = {uuid_name(state.derived("filesystem"))}
    known |= {uuid_name(node.signature.uuid)} if node and node.signature.uuid else set()

    def ours(line: fstab.Entry) -> bool:
        source = line.source in known or _means(line, state, node)
        if desired.path is None:
            return source
        return line.path == desired.path and (source or _gone(line, state, node))

    after = fstab.remove(state.table, ours)
    if after == state.table:
        return []
    before = {"lines": fstab.lines_of(state.table, ours)}
    steps = (Step("write_fstab", {"before": state.table, "after": after, "path": ""}), Step("daemon_reload", {}))
    return [Change("fstab", desired.path or desired.name, "delete", before, None, (), steps)]


def _programs_present(changes: List[Change], state: State) -> None:
    """Refuse before the first write where a program that a later step needs is not installed."""
    for change in changes:
        for step in change.steps:
            program = str(step.params["argv"][0]) if "argv" in step.params else ""
            if program in PACKAGES and state.programs is not None and program not in state.programs:
                raise missing(program)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what is declared and what was found to what has to be done, or to a refusal. Pure: no call, no clock.

Nearly every run finds nothing to do, and most of its time is Python compiling what Ansible sends. So here and in `target`, `probe` and
`layout` what only some runs need is imported where it is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import List, Optional, Tuple

from ..engine.errors import Busy, NotFound, Refused
from ..engine.plan import UNKNOWN, Change, Plan, Step
from . import fstab, mounts
from .layout import Layout, adopted, command, not_ours, updated
from .machine import PACKAGES, missing
from .probe import current_node, mounts_of
from .state import COMPLETE, Desired, Mount, Node, State, Text, aside


def plan(desired: Desired, state: State) -> Plan:
    """Everything that has to happen, in order; raises before anything does where something must not be touched."""
    if desired.state != "mounted":
        return Plan(_leave(desired, state))
    layout = _layout_of(desired, state)
    here = _mounted_here(desired, state, layout)
    changes = [*layout.changes]
    if here is None:
        from . import content

        changes += content.moved(desired, state, layout)
    elif state.geometry.names and any(name.startswith(COMPLETE) for name in state.geometry.names):
        from . import content

        content.unfinished(state, layout, str(desired.path))
    line = _fstab(desired, state, layout)
    changes += [*line, *_mount(desired, state, layout, here, bool(line))]
    changes += updated(desired, state, layout)
    changes += _attributes(desired, state, layout, here)
    if not desired.keep_old:
        from . import content

        changes += content.old_copy(desired, state, layout)
    _programs_present(changes, state)
    return Plan(tuple(changes))


def _layout_of(desired: Desired, state: State) -> Layout:
    """Where the filesystem is or will be, with what has to be done for that; refuses a disk that is neither blank nor ours."""
    disk = state.disk
    if disk is None:
        raise NotFound("no such disk on this machine", resource=desired.name)
    if desired.erase:
        from . import creation, erase

        erased = erase.planned(desired, state, disk)
        if erased:
            made = creation.created(desired, state, erase.emptied(disk))
            return replace(made, changes=(*erased, *made.changes))
    if len(disk.partitions) > 1 or len(disk.untold) > 1:
        listing = ", ".join(f"{part.name}: {part.signature}" for part in disk.partitions)
        raise not_ours(disk, f"{len(disk.partitions or disk.untold)} partitions ({listing})")
    node = current_node(disk) or disk.node
    for held in (*disk.node.held, *node.held):
        if not (held.startswith("opened") and mounts_of(state)):
            raise not_ours(disk, held)
    if node.signature.kind and not node.signature.unclear:
        return adopted(desired, state, disk, node)
    if disk.node.signature.unclear or node.signature.unclear:
        raise not_ours(disk, str(node.signature if node.signature.unclear else disk.node.signature))
    from . import creation

    return creation.created(desired, state, disk)


def uuid_name(uuid: Text) -> str:
    """How fstab names a filesystem."""
    return f"UUID={uuid}"


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
    if here is not None and here.root != "/":
        raise Refused("only a directory of it is mounted there", resource=path, wanted=layout.node, found=here.root, do="Unmount it.")
    elsewhere = [mount.path for mount in ours if mount.path != path and not mount.path.startswith(aside(""))]
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
        steps = (*reload, Step("mount", {"argv": argv}), *_context(state, path))
        return [Change("mount", path, "create", None, after, (), steps)]
    if state.context:
        found, wanted = {"context": state.context}, {"context": "as the policy says"}
        relabelled = [Change("context", path, "update", found, wanted, ("the SELinux context differs",), _context(state, path))]
    else:
        relabelled = []
    different = mounts.difference(desired.options, here)
    if not different:
        return relabelled
    fixed = sorted(set(different) & mounts.FIXED)
    if fixed:
        raise Refused(
            "these options cannot be changed while it is mounted",
            resource=path,
            wanted=", ".join(f"{name}={different[name][1]}" for name in fixed),
            found=", ".join(f"{name}={different[name][0]}" for name in fixed),
            do="Unmount it (`state: unmounted`), and run again.",
        )
    before = {what: now for what, (now, _then) in different.items()}
    after = {what: then for what, (_now, then) in different.items()}
    argv = ("mount", "-o", f"remount,{mounts.remount_options(desired.options)}", path)
    return [Change("mount", path, "update", before, after, ("the options in force differ",), (command(argv),)), *relabelled]


def _context(state: State, path: str) -> Tuple[Step, ...]:
    """The mounted root gets the SELinux context of its path, where SELinux is enabled."""
    return (command(("restorecon", path)),) if state.selinux else ()


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
    places = (None, desired.path, *(mount.path for mount in mounts_of(state) if mount.path.startswith(aside(""))))
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
        Change("mount", mount.path, "delete", {"source": mount.source, "path": mount.path}, None, (), (command(("umount", mount.path)),))
        for mount in reversed(leaving)
    ]
    return (*changes, *_forgotten(desired, state)) if desired.state == "absent" else tuple(changes)


def _forgotten(desired: Desired, state: State) -> List[Change]:
    node = current_node(state.disk)
    known = {uuid_name(state.derived("filesystem"))}
    uuid = node.signature.uuid if node else ""
    # Where a copy has the same UUID, only the path tells whose line it is.
    known |= {uuid_name(uuid)} if uuid and (desired.path is not None or len(state.uuids.get(uuid, ())) < 2) else set()

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

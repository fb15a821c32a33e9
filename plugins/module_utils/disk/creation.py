# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is made on a blank disk: the partition and the filesystem. Pure: no call, no clock."""

from __future__ import annotations

import re
from typing import Tuple

from ..engine.errors import Refused
from ..engine.plan import UNKNOWN, Change, Step
from .filesystems import KINDS, filled
from .layout import Layout, not_ours
from .state import MIB, Desired, Disk, State

_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


def created(desired: Desired, state: State, disk: Disk) -> Layout:
    """The layout of a disk that is blank, or whose partitioning by us was interrupted before the filesystem was made."""
    ours = str(state.derived("partition"))
    partition = disk.partitions[0] if disk.partitions else None
    told = partition.part_uuid if partition else "".join(disk.untold)
    if disk.node.signature.table and (not told or told != ours):
        raise not_ours(disk, f"{disk.node.signature} with {'a partition that we did not make' if told else 'no partition'}")
    if partition and not disk.node.signature.table:
        raise not_ours(disk, f"{disk.node.signature}, and {partition.path}, which is in no table (partx -d {disk.node.path} forgets it)")
    if partition and not partition.signature.blank:
        raise not_ours(disk, f"{partition.signature} on {partition.path}")
    if not disk.inside.blank:
        table = "a partition that the kernel does not show (is the table damaged?)" if told else "no partition table"
        raise not_ours(disk, f"{table}, but {disk.inside} at 1 MiB, where a partition would begin")
    if disk.remains:
        raise not_ours(disk, disk.remains)
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

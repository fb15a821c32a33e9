# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be erased: only what was named, and only when everything that is on the disk was named. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List, Tuple

from ..engine.errors import Busy, InvalidInput, Refused
from ..engine.plan import Change, Step
from .state import MIB, Desired, Disk, Node, Signature, State


@dataclass(frozen=True)
class Item:
    """One thing on a disk: `name` is what a declaration has to call it, `offset` where on `device` it is looked for."""

    device: str
    name: str
    what: str
    offset: int = 0


def found_on(disk: Disk) -> Tuple[Item, ...]:
    """Everything on a disk that would be lost, the innermost first; each is named by its UUID, or by its kind where it has none."""
    items: List[Item] = []
    for node in (*disk.partitions, disk.node):
        found = node.signature
        items += [Item(node.path, found.uuid or found.kind, str(replace(found, table="")))] if found.kind else []
        items += [Item(node.path, found.table_uuid or found.table, str(Signature(table=found.table)))] if found.table else []
    if not disk.inside.blank:
        items.append(Item(disk.node.path, disk.inside.uuid or disk.inside.kind or disk.inside.table, f"{disk.inside} at 1 MiB", MIB))
    if disk.remains:
        items.append(Item(disk.node.path, disk.remains_uuid, disk.remains, disk.remains_at))
    return tuple(items)


def hint(disk: Disk) -> str:
    """What a declaration would have to say to have all of it erased; "" where that cannot be told."""
    names = list(dict.fromkeys(item.name for item in found_on(disk)))
    unclear = disk.node.signature.unclear or any(part.signature.unclear for part in disk.partitions)
    return "" if unclear or not names or "" in names else f"erase: [{', '.join(names)}]"


def planned(desired: Desired, state: State, disk: Disk) -> Tuple[Change, ...]:
    """The erasing of what was named and is there; refuses what is in use, only partly named, or this declaration's own.

    Where a run was killed after it, the kernel may still show partitions that stand in no table any more.
    """
    items = found_on(disk)
    wanted = {name.casefold() for name in desired.erase}
    named = [item for item in items if item.name.casefold() in wanted]
    if not named and (items or disk.node.signature.unclear or not disk.partitions):
        return ()
    own = {str(state.derived("filesystem")), str(state.derived("table"))}
    for item in named:
        if item.name in own:
            do = "Take it out of `erase`. To start over, unmount it and erase it yourself (wipefs -a)."
            raise InvalidInput("is what this declaration makes itself, so every run would erase it", resource=item.name, do=do)
    _all_named(disk, items, named)
    _all_seen(disk)
    _not_in_use(state, disk)
    return (*(_change(item) for item in items), *_forgotten(disk))


def _all_named(disk: Disk, items: Tuple[Item, ...], named: List[Item]) -> None:
    rest = [item for item in items if item not in named]
    if rest or (items and not hint(disk)):
        raise Refused(
            "not everything on it was named: nothing was erased",
            resource=f"disk {disk.node.path}",
            wanted=", ".join(item.name for item in named),
            found="; ".join(f"{item.what} on {item.device}" for item in rest) or "signatures that contradict each other",
            do=f"To lose all of it, declare `{hint(disk)}`." if hint(disk) else "Erase it yourself (wipefs) after a look at it.",
        )


def _all_seen(disk: Disk) -> None:
    if disk.unseen:
        raise Refused(
            "the kernel does not show a partition that is in the table, so what is in it was not named: nothing was erased",
            resource=f"disk {disk.node.path}",
            found=", ".join(f"a partition at sector {start}" for start in disk.unseen),
            do=f"Have it shown (`partx -u {disk.node.path}`), and name what is in it; or erase it yourself (wipefs) after a look at it.",
        )


def _not_in_use(state: State, disk: Disk) -> None:
    nodes: Tuple[Node, ...] = (disk.node, *disk.partitions)
    name = f"disk {disk.node.path}"
    numbers = {node.number for node in nodes if node.number}
    mounted = [mount.path for mount in state.mounts if mount.number in numbers]
    held = [held for node in nodes for held in node.held]
    if mounted or held:
        found = ", ".join([f"mounted at {path}" for path in mounted] + held)
        raise Busy("is in use: nothing was erased", resource=name, found=found, do="Let go of it first (for a mount: `state: absent`).")
    lines = [source for source, meant in state.sources.items() if set(meant.split()) & {node.name for node in nodes}]
    if lines:
        do = "Take the line out first (`state: absent` with its path)."
        raise Refused("/etc/fstab still mounts it: nothing was erased", resource=name, found=", ".join(lines), do=do)
    if disk.read_only:
        raise Refused("is read-only: nothing was erased", resource=name, do="Attach it writable.")


def _change(item: Item) -> Change:
    step = Step("erase", {"node": item.device, "name": item.name, "offset": item.offset})
    return Change("signature", item.device, "delete", {"what": item.what, "uuid": item.name}, None, ("it is named in `erase`",), (step,))


def _forgotten(disk: Disk) -> Tuple[Change, ...]:
    """The kernel is told that the partitions are gone."""
    if not disk.partitions:
        return ()
    step = Step("partx", {"argv": ("partx", "-d", disk.node.path), "ok": (0, 1)})
    before = {"partitions": ", ".join(part.name for part in disk.partitions)}
    return (Change("partitions", disk.node.path, "delete", before, None, ("their table is erased",), (step,)),)


def emptied(disk: Disk) -> Disk:
    """The disk as it is once everything on it is erased."""
    return Disk(replace(disk.node, signature=Signature()), disk.serial, disk.sector)

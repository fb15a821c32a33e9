# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Moving what lies at the mount point onto the volume, so that a kill at any moment loses and doubles nothing.

The copy grows in PARTIAL on the volume and is renamed to COMPLETE once it is verified. As long as the directory has its
content, the directory is the truth and any copy may be thrown away. Only then is the directory renamed aside, in one
step; from there on COMPLETE is the truth, and its entries are renamed to the top of the volume, one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Set, Tuple

from ..engine.errors import Busy, Refused
from ..engine.plan import UNKNOWN, Change, Step
from . import mounts
from .state import COMPLETE, LOST, PARTIAL, Desired, State, Text, aside, size_text

if TYPE_CHECKING:
    from .layout import Layout


def moved(desired: Desired, state: State, layout: Layout) -> List[Change]:
    """What happens to the content of the directory before it becomes a mount point."""
    folder, path = state.folder, str(desired.path)
    # None: it cannot be seen unmounted. The old copy then tells that a move got as far as its switch.
    names = () if layout.new else state.geometry.names
    marks = {PARTIAL, COMPLETE} & set(names or ())
    switched = old_name(state, layout, path, fresh=False) in folder.old
    unseen = names is None and switched
    if (COMPLETE in marks or unseen) and not folder.names:
        if not folder.exists and len(folder.old) > 1:
            do = f"Rename the one that was at {path} last back to it, and run again."
            raise Refused("a move was interrupted, and there are several old copies", resource=path, found=", ".join(folder.old), do=do)
        return [_change(desired, state, layout, "continue", ("a move that was interrupted is finished",))]
    if not folder.names or desired.content == "hide":
        if marks and not folder.names:
            raise _orphan(path, layout)
        return _tidy(state, layout, path)
    if desired.content == "refuse":
        raise Refused(
            "the mount point is not empty, and mounting would hide what is there",
            resource=path,
            wanted=f"mount {layout.node}",
            found=", ".join(folder.names[:5]) + (f" and {len(folder.names) - 5} more" if len(folder.names) > 5 else ""),
            do="Set `content: move` to have it moved onto the volume, or `content: hide` to leave it hidden below the mount.",
        )
    _movable(state, layout, path, set(names or ()) - marks - {LOST})
    # Not seen, the volume may carry the complete copy: it must not be thrown away for the few files that came since.
    if (COMPLETE in marks or unseen) and switched:
        raise Refused(
            "a move was interrupted after the directory was renamed aside, and new files have appeared since",
            resource=path,
            found=", ".join(folder.names[:5]),
            do=f"Move them away, run again, then bring them back to {path}.",
        )
    return [_change(desired, state, layout, "move", ("the mount point is not empty",))]


def unfinished(state: State, layout: Layout, path: str) -> None:
    """Refuse a mount that shows a copy which was never brought to its place: somebody mounted it between two runs."""
    marks = sorted({PARTIAL, COMPLETE} & set(state.geometry.names or ()))
    if marks:
        raise Refused(
            "a move onto it was interrupted, and it was mounted before that was finished",
            resource=path,
            found=f"{', '.join(marks)} on {layout.node}",
            do="Unmount it (`state: unmounted`), and run again.",
        )


def old_name(state: State, layout: Layout, path: str, fresh: bool = True) -> Text:
    """What the directory is renamed to: beside itself, by the filesystem that took its content."""
    if not isinstance(layout.uuid, str):
        return UNKNOWN
    base = f"{path}.before-{layout.uuid[:8]}"
    names = [base, *(f"{base}-{number}" for number in range(2, len(state.folder.old) + 3))]
    return next(name for name in names if not fresh or name not in state.folder.old)


def old_copy(desired: Desired, state: State, layout: Layout) -> List[Change]:
    """The removal of old copies of ours, where they are not to be kept."""
    path = str(desired.path)
    base = old_name(state, layout, path, fresh=False)
    # What was put into a filesystem that is made anew is nowhere else any more.
    names = [name for name in state.folder.old if not layout.new and (name == base or name.startswith(f"{base}-"))]
    if desired.content == "move" and state.folder.names and not mounts.at(state.mounts, path):
        names.append(str(old_name(state, layout, path)))
    return [
        Change("old copy", name, "delete", {"path": name}, None, ("keep_old_content is false",), (Step("remove_tree", {"path": name}),))
        for name in names
    ]


def _movable(state: State, layout: Layout, path: str, present: Set[str]) -> None:
    if present:
        raise Refused(
            "both the mount point and the volume have content, and they are not merged",
            resource=path,
            found=f"on the volume: {', '.join(sorted(present)[:5])}; in the directory: {', '.join(state.folder.names[:5])}",
            do="Decide which one counts: move the directory away, or set `content: hide`.",
        )
    taken = sorted({PARTIAL, COMPLETE, LOST} & set(state.folder.names))
    if taken:
        do = "Rename it: the filesystem keeps a directory of this name, or the move needs the name until it is finished."
        raise Refused("has an entry that cannot be moved", resource=path, found=taken[0], do=do)
    inner = mounts.below(state.mounts, path)
    if inner:
        raise Refused("another filesystem is mounted inside", resource=path, found=inner[0].path, do="Unmount it first.")
    if state.holders:
        found = "; ".join(str(holder) for holder in state.holders)
        do = "Stop these processes (or their services) while the content is moved, and run again."
        raise Busy("is in use: nothing was changed", resource=path, found=found, do=do)
    # A filesystem needs some of the space for itself; the exact check follows once it is mounted aside.
    inodes = layout.size // layout.kind.bytes_per_inode if layout.kind.bytes_per_inode and layout.size else state.folder.inodes
    if layout.size and (state.folder.size > layout.size * 0.93 or state.folder.inodes > inodes):
        raise too_small(layout.node, state.folder.size, state.folder.inodes, f"a disk of {size_text(layout.size)}")


def too_small(node: str, size: int, inodes: int, found: str) -> Refused:
    """The error for content that does not fit."""
    wanted = f"{size_text(size)} in {inodes} files"
    return Refused("the content does not fit on the volume", resource=node, wanted=wanted, found=found, do="Use a larger volume.")


def _orphan(path: str, layout: Layout) -> Refused:
    return Refused(
        "an interrupted copy is on the volume, but the directory it came from is empty now",
        resource=path,
        found=f"{PARTIAL} on {layout.node}",
        do=f"Mount {layout.node} by hand, look at {PARTIAL}, and rename or remove it.",
    )


def _change(desired: Desired, state: State, layout: Layout, how: str, reasons: Tuple[str, ...]) -> Change:
    path, spot, folder = str(desired.path), aside(layout.uuid), state.folder
    steps = [Step("mount_aside", {"node": layout.node, "kind": layout.kind.name, "path": spot})]
    after = {"files": folder.inodes, "size": size_text(folder.size), "in": f"{layout.kind.name} on {layout.node}"}
    before = {"files": folder.inodes, "size": size_text(folder.size), "in": path}
    if how == "move":
        old = old_name(state, layout, path)
        after["old copy"] = old if desired.keep_old else "removed"
        steps += [
            Step("copy_content", {"path": path, "aside": spot, "size": folder.size, "inodes": folder.inodes}),
            Step("verify_content", {"path": path, "aside": spot}),
            Step("switch_content", {"path": path, "aside": spot, "old": old}),
        ]
    else:
        before, after = {"in": COMPLETE}, {"in": f"{layout.kind.name} on {layout.node}"}
        old = old_name(state, layout, path, fresh=False)
        steps += [Step("settle_content", {"path": path, "aside": spot, "old": old})] if old in folder.old and not folder.exists else []
    steps += [Step("promote_content", {"aside": spot}), Step("umount", {"argv": ("umount", spot)})]
    return Change("content", path, "update", before, after, reasons, tuple(steps))


def _tidy(state: State, layout: Layout, path: str) -> List[Change]:
    """Unmount what an interrupted run left mounted aside."""
    spot = aside(layout.uuid)
    if mounts.at(state.mounts, spot) is None:
        return []
    return [Change("content", path, "update", {"mounted": spot}, {"mounted": None}, (), (Step("umount", {"argv": ("umount", spot)}),))]

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared about a disk, and what was found on the machine: frozen data, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, FrozenSet, Mapping, Optional, Tuple, Union

from ..engine.plan import UNKNOWN, Unknown

MIB = 1024 * 1024
#: Every UUID of ours is derived under this name, so that a plan knows it before the disk is touched.
NAMESPACE = "0e5f5a2c-6a4b-5d0f-9d4e-0b6a1f3c7e21"
#: Where the copy of a moved directory is made, and what it is called once it is complete and verified.
PARTIAL, COMPLETE = ".steadfast-move.partial", ".steadfast-move"
#: The directory that fsck puts what it finds into; every ext4 has one, and it is nobody's content.
LOST = "lost+found"

Text = Union[str, Unknown]


@dataclass(frozen=True)
class Desired:
    """The declaration; None means: not managed."""

    volume: Optional[str] = None
    device: Optional[str] = None
    path: Optional[str] = None
    state: str = "mounted"
    filesystem: Optional[str] = None
    partition: bool = True
    label: Optional[str] = None
    #: 90 s is what systemd itself gives a device (systemd.mount(5)); nofail lets the boot go on meanwhile
    options: Tuple[str, ...] = ("defaults", "nofail", "x-systemd.device-timeout=90s")
    content: str = "refuse"
    keep_old: bool = True
    uid: Optional[int] = None
    gid: Optional[int] = None
    mode: Optional[str] = None
    grow: bool = True
    timeout: float = 60
    #: UUIDs, or kinds of signatures, that may be erased.
    erase: Tuple[str, ...] = ()
    duplicate_uuid: str = "refuse"
    mkfs: Tuple[str, ...] = ()
    #: The size in GiB that the disk must have reached; None: as it is.
    size: Optional[int] = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.volume or self.device or self.path or "disk"


@dataclass(frozen=True)
class Signature:
    """What low-level blkid says stands at a place."""

    kind: str = ""
    uuid: str = ""
    label: str = ""
    table: str = ""
    unclear: bool = False
    table_uuid: str = ""

    @property
    def blank(self) -> bool:
        return not (self.kind or self.table or self.unclear)

    def __str__(self) -> str:
        if self.unclear:
            return "signatures that contradict each other"
        parts = [f"a {self.table} partition table"] if self.table else []
        label = f", label {self.label}" if self.label else ""
        parts += [f"{self.kind} (UUID {self.uuid or 'none'}{label})"] if self.kind else []
        return " and ".join(parts) or "nothing"


@dataclass(frozen=True)
class Node:
    """A block device: a whole disk or a partition."""

    name: str
    size: int = 0
    number: str = ""
    start: int = 0
    signature: Signature = Signature()
    part_uuid: str = ""
    #: Who in the kernel holds it: dm, md, swap, or "opened exclusively".
    held: Tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/dev/{self.name}"


@dataclass(frozen=True)
class Disk:
    """A whole disk, what is on it, and its partitions."""

    node: Node
    serial: str = ""
    sector: int = 512
    read_only: bool = False
    partitions: Tuple[Node, ...] = ()
    #: A disk without a table: what stands at 1 MiB, where a partition would begin.
    inside: Signature = Signature()
    #: Traces of a table that blkid does not report.
    remains: str = ""
    remains_uuid: str = ""
    remains_at: int = 0
    #: Partitions that stand in the table but that the kernel was not told of.
    untold: Tuple[str, ...] = ()
    #: Where those of them begin that are not at 1 MiB, so that nobody has looked into them; in sectors.
    unseen: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo."""

    number: str
    path: str
    options: Tuple[str, ...]
    kind: str
    source: str
    super_options: Tuple[str, ...]
    #: What of the filesystem is mounted there; not "/" for a bind mount of a directory in it.
    root: str = "/"
    #: What is in force but not shown, as the filesystem has it as its default.
    own: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Geometry:
    """What a filesystem says of itself. `names` is its top directory, None where it cannot be read unmounted."""

    size: int = 0
    errors: bool = False
    names: Optional[Tuple[str, ...]] = None


@dataclass(frozen=True)
class Folder:
    """The directory at the mount point (of the mounted filesystem, once it is mounted)."""

    exists: bool = False
    real: str = ""
    names: Tuple[str, ...] = ()
    size: int = 0
    inodes: int = 0
    uid: int = 0
    gid: int = 0
    mode: str = "0755"
    #: Old copies that stand beside it.
    old: Tuple[str, ...] = ()
    total: int = 0
    free: int = 0


@dataclass(frozen=True)
class Holder:
    """A process, or something in the kernel, that keeps a mount busy."""

    pid: int
    user: str
    command: str
    path: str

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid}, user {self.user}): {self.path}" if self.pid else self.path


@dataclass(frozen=True)
class State:
    """Everything that a plan is made from."""

    disk: Optional[Disk] = None
    seed: str = ""
    mounts: Tuple[Mount, ...] = ()
    table: bytes = b""
    #: Every source in fstab, and the kernel name of the device it means ("" where there is none; several where it is ambiguous).
    sources: Mapping[str, str] = field(default_factory=dict)
    #: Every filesystem UUID on the machine, and the devices that carry it.
    uuids: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    geometry: Geometry = Geometry()
    folder: Folder = Folder()
    holders: Tuple[Holder, ...] = ()
    programs: Optional[FrozenSet[str]] = None
    selinux: bool = False
    #: What restorecon would change at the mounted root; "" where nothing.
    context: str = ""

    def derived(self, what: str) -> Text:
        """The UUID of ours for `what`, the same on every run."""
        if not self.seed:
            return UNKNOWN
        import uuid

        return str(uuid.uuid5(uuid.UUID(NAMESPACE), f"{what}:{self.seed}"))


def aside(uuid: Text) -> str:
    """Where a filesystem is mounted while content is moved onto it."""
    return f"/run/steadfast-disk/{uuid}"


def size_text(size: Any) -> Any:
    """A size as people write it."""
    for unit, factor in (("GiB", 1024 * MIB), ("MiB", MIB)):
        if isinstance(size, int) and size >= factor:
            return f"{size / factor:.4g} {unit}"
    return size

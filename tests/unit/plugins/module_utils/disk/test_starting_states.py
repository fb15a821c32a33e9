# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Disks as files under the real tools: what is on them is seen, nothing outside the plan is written, and a plan does what it says."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import plan as planning
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.apply import Runner
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import MIB, Disk, Node
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput, NotConverged, Refused, SteadfastError
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import Plan, Step
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile

from .emulated import PATH, SIZE, Anyone, Emulated, target
from .signatures import BARE, SIGNATURES, make
from .states import WANTED, state

VOLUME, COPY = "vol-00000000000000001", "vol-00000000000000002"
SERIAL = VOLUME.replace("-", "")
GPT_UUID, PART_UUID = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
OTHER_UUID = "7e57ab1e-0000-4000-8000-000000000001"
TABLE = f"label: gpt\nlabel-id: {GPT_UUID}\n\nstart=2048, size=8192, uuid={PART_UUID}\n"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in memory where there is one: the tools write every sector through."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:  # noqa: S108
        yield Path(name).resolve()


@pytest.fixture
def emulated(place: Path) -> Emulated:
    """A machine with one blank volume, vdb."""
    emulated = Emulated(place)
    emulated.attach("vdb", SERIAL)
    return emulated


def digest(emulated: Emulated, name: str = "vdb") -> str:
    """All bytes of a disk."""
    return hashlib.sha256((emulated.root / "dev" / name).read_bytes()).hexdigest()


def refusal(emulated: Emulated, **declared: object) -> str:
    """What a run says that must refuse; not a byte has changed, and no command that writes was run."""
    before, written = digest(emulated), len(emulated.written)
    table = (emulated.root / "etc/fstab").read_bytes()
    with pytest.raises(SteadfastError) as caught:
        reconcile(target(emulated, volume=VOLUME, **declared), False)
    assert (digest(emulated), (emulated.root / "etc/fstab").read_bytes()) == (before, table)
    assert [line for line in emulated.written[written:] if not line.startswith("sfdisk --json")] == []
    return caught.value.message


def table_at_both_ends(emulated: Emulated) -> None:
    """Somebody's GPT with an empty partition."""
    emulated.run("sfdisk", "-q", "/dev/vdb", text=TABLE)


def wiped(emulated: Emulated, offset: int, length: int) -> None:
    """Zeros over a part of the disk; a negative offset counts from the end."""
    with (emulated.root / "dev/vdb").open("r+b") as disk:
        disk.seek(offset, 2 if offset < 0 else 0)
        disk.write(bytes(length))


def primary_damaged(emulated: Emulated) -> None:
    """The first header is gone, the protective MBR and the backup are there."""
    table_at_both_ends(emulated)
    wiped(emulated, 512, 512)


def backup_damaged(emulated: Emulated) -> None:
    """Only the second header is gone."""
    table_at_both_ends(emulated)
    wiped(emulated, -512, 512)


def only_the_backup(emulated: Emulated) -> None:
    """The start of the disk is wiped."""
    table_at_both_ends(emulated)
    emulated.command(("partx", "-d", "/dev/vdb"))
    wiped(emulated, 0, 17408)


def filesystem_in_a_damaged_table(emulated: Emulated) -> None:
    """A filesystem in a partition that the kernel does not show, as the table cannot be read whole."""
    table_at_both_ends(emulated)
    emulated.run("mkfs.ext4", "-q", "-U", OTHER_UUID, "/dev/vdb1")
    emulated.command(("partx", "-d", "/dev/vdb"))


def two_partitions(emulated: Emulated) -> None:
    """With a filesystem in each."""
    emulated.run("sfdisk", "-q", "/dev/vdb", text=f"label: gpt\nlabel-id: {GPT_UUID}\n\nsize=8192\nsize=8192\n")
    emulated.run("mkfs.ext4", "-q", "-U", OTHER_UUID, "/dev/vdb1")
    emulated.run("mkswap", "-q", "-U", PART_UUID, "/dev/vdb2")


#: state → (how it is made, words of the refusal, what has to be named to erase it)
TABLES: dict[str, tuple[Callable[[Emulated], None], str, list[str]]] = {
    "somebody's empty partition": (table_at_both_ends, "a partition that we did not make", [GPT_UUID]),
    "damaged primary GPT": (primary_damaged, "gpt partition table", [GPT_UUID]),
    "damaged backup GPT": (backup_damaged, "gpt partition table", [GPT_UUID]),
    "only the backup of a GPT": (only_the_backup, "backup of a GPT", [GPT_UUID]),
    "a filesystem in a table that the kernel does not show": (filesystem_in_a_damaged_table, "a gpt", [GPT_UUID, OTHER_UUID]),
    "two partitions": (two_partitions, "2 partitions", [GPT_UUID, OTHER_UUID, PART_UUID]),
}
STATES = [*SIGNATURES, *TABLES]


def prepared(emulated: Emulated, name: str) -> tuple[str, list[str]]:
    """The disk in a starting state; the words of its refusal, and the names to erase it by."""
    if name in TABLES:
        prepare, words, names = TABLES[name]
        prepare(emulated)
    else:
        made, words, names = SIGNATURES[name]
        make(emulated.root / "dev/vdb", made)
        emulated.grow("vdb", (emulated.root / "dev/vdb").stat().st_size)
    return words, names


@pytest.mark.parametrize("name", STATES)
def test_what_is_not_ours_is_refused_and_not_a_byte_changes(emulated: Emulated, name: str) -> None:
    """By what blkid itself sees; the refusal names all that would have to be erased."""
    words, names = prepared(emulated, name)
    message = refusal(emulated)
    assert re.search(words, message)
    (told,) = re.findall(r"erase: \[(.*?)\]", message)
    assert sorted(told.split(", ")) == sorted(names)


@pytest.mark.parametrize("name", STATES)
def test_what_is_named_is_erased_and_the_disk_is_made(emulated: Emulated, name: str) -> None:
    """What check mode told is what is done; the same declaration again has nothing to do."""
    _words, names = prepared(emulated, name)
    declared = {"volume": VOLUME, "erase": tuple(name.upper() for name in names)}
    foretold = reconcile(target(emulated, **declared), True).plan.to_result()
    done = reconcile(target(emulated, **declared), False)
    assert done.plan.to_result() == foretold
    kinds = {change.kind for change in done.plan.changes} - {"partitions"}
    assert kinds == {"signature", "partition", "filesystem", "fstab", "mount"}
    assert not reconcile(target(emulated, **declared), False).plan.changed


@pytest.mark.parametrize("names", [(GPT_UUID,), (OTHER_UUID, PART_UUID), ("gpt", "ext4", "swap")])
def test_nothing_is_erased_before_everything_is_named_exactly(emulated: Emulated, names: tuple[str, ...]) -> None:
    """A table alone does not take its partitions with it, and a kind is no name for what has a UUID."""
    two_partitions(emulated)
    assert GPT_UUID in refusal(emulated, erase=names)


def test_what_is_in_use_is_never_erased(emulated: Emulated) -> None:
    """Neither what is mounted nor what fstab mounts at the next boot."""
    emulated.run("mkfs.ext4", "-q", "-U", OTHER_UUID, "/dev/vdb")
    emulated.put("sys/block/vdb/dev", "254:16")
    emulated.run("mount", "-t", "ext4", "/dev/vdb", "/mnt")
    assert "mounted at /mnt" in refusal(emulated, erase=(OTHER_UUID,))
    emulated.run("umount", "/mnt")
    emulated.put("etc/fstab", f"UUID={OTHER_UUID} /mnt ext4\n")
    assert "fstab still mounts it" in refusal(emulated, erase=(OTHER_UUID,))
    emulated.put("etc/fstab", "")
    emulated.put("sys/block/vdb/holders/dm-0", "")
    assert "held by dm-0" in refusal(emulated, erase=(OTHER_UUID,))


def test_what_the_declaration_makes_itself_cannot_be_named(emulated: Emulated) -> None:
    """Every run would erase it."""
    made = reconcile(target(emulated, volume=VOLUME), False).actual
    uuid = made.disk.partitions[0].signature.uuid
    with pytest.raises(InvalidInput, match="every run would erase it"):
        reconcile(target(emulated, volume=VOLUME, erase=(uuid,)), False)


def test_what_changed_between_plan_and_erasing_is_not_erased(emulated: Emulated) -> None:
    """The step looks again, at the moment it writes."""
    emulated.run("mkfs.ext4", "-q", "-U", OTHER_UUID, "/dev/vdb")
    runner = Runner(emulated.machine, Disk(Node("vdb", SIZE, "0:0"), SERIAL), 1)
    before = digest(emulated)
    for step in ({"name": PART_UUID, "offset": 0}, {"name": OTHER_UUID, "offset": MIB}, {"name": OTHER_UUID, "offset": SIZE - 512}):
        with pytest.raises(Refused, match="is not what it was"):
            runner.one(Step("erase", {"node": "/dev/vdb", **step}))
    assert digest(emulated) == before


@pytest.mark.parametrize("kind", BARE)
def test_a_bare_filesystem_is_mounted_as_it_is(emulated: Emulated, kind: str) -> None:
    """Made by whoever; only fstab and a mount are planned."""
    make(emulated.root / "dev/vdb", BARE[kind])
    before = digest(emulated)
    plan = reconcile(target(emulated, volume=VOLUME), True).plan
    assert [change.kind for change in plan.changes] == ["fstab", "mount"]
    assert f" {kind} " in str(plan.to_result())
    assert digest(emulated) == before


def test_a_dirty_journal_is_mounted_and_recorded_errors_are_not(emulated: Emulated) -> None:
    """The kernel replays a journal at the mount; a filesystem with errors is for a person."""
    emulated.run("mkfs.ext4", "-q", "-U", OTHER_UUID, "/dev/vdb")
    emulated.run("debugfs", "-w", "-R", "feature needs_recovery", "/dev/vdb")
    seen = reconcile(target(emulated, volume=VOLUME), True)
    assert [change.kind for change in seen.plan.changes] == ["fstab", "mount"]
    assert seen.actual.geometry.names is None
    emulated.run("debugfs", "-w", "-R", "ssv state 2", "/dev/vdb")
    assert "has recorded errors" in refusal(emulated)


@pytest.mark.parametrize("partition", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_check_mode_predicts_a_blank_disk_exactly(place: Path, partition: bool, told: bool) -> None:
    """The same plan, the same line in fstab and the same UUIDs as the real run leaves on the disk."""
    emulated = Emulated(place, told)
    emulated.attach("vdb", SERIAL)
    declared = {"volume": VOLUME, "label": "images", "partition": partition, "mkfs": ("-i", "4096", "-m", "0")}
    before = digest(emulated)
    foretold = reconcile(target(emulated, **declared), True).plan
    assert digest(emulated) == before
    assert (emulated.root / "etc/fstab").read_text() == "UUID=aaaa / ext4 errors=remount-ro 0 1\n"
    done = reconcile(target(emulated, **declared), False)
    assert done.plan == foretold
    changes = {change.kind: dict(change.after or {}) for change in foretold.changes}
    node = "/dev/vdb1" if partition else "/dev/vdb"
    found = dict(line.split("=", 1) for line in emulated.run("blkid", "-p", "-o", "export", node).splitlines())
    assert (found["UUID"], found["LABEL"]) == (changes["filesystem"]["uuid"], "images")
    assert (emulated.root / "etc/fstab").read_text().splitlines()[1:] == [changes["fstab"]["lines"]]
    if partition:
        assert found["PART_ENTRY_UUID"] == changes["partition"]["uuid"]
    assert not reconcile(target(emulated, **declared), True).plan.changed


class Stopped(Exception):
    """The machine lost its power."""


def stopping_after(steps: int) -> type[Anyone]:
    """A target that stops without a word after so many steps."""

    class Counting(Runner):
        done: list[str] = []  # noqa: RUF012

        def one(self, step: Step) -> None:
            if len(self.done) == steps:
                raise Stopped
            self.done.append(step.verb)
            super().one(step)

    class Stopping(Anyone):
        def apply(self, plan: Plan, actual: object) -> None:
            Counting(self.machine, actual.disk, 1).run(plan)  # type: ignore[attr-defined]

    return Stopping


@pytest.mark.parametrize(("name", "own"), [("blank", 8), ("two partitions", 5), ("only the backup of a GPT", 2)])
def test_a_run_that_is_stopped_after_any_step_is_finished_by_the_next(place: Path, name: str, own: int) -> None:
    """From a blank disk, and from one whose content was named: the end is the same, after each of its `own` steps."""
    for steps in range(own):
        emulated = Emulated(place / str(steps))
        emulated.attach("vdb", SERIAL)
        names = () if name == "blank" else tuple(prepared(emulated, name)[1])
        declared = target(emulated, volume=VOLUME, erase=names)
        with pytest.raises(Stopped):
            reconcile(stopping_after(steps)(declared.desired, emulated.machine), False)
        finished = reconcile(declared, False)
        assert finished.actual.disk.partitions[0].signature.uuid == finished.actual.derived("filesystem")
        assert not reconcile(declared, False).plan.changed
        assert (emulated.root / "etc/fstab").read_text().count("/srv/data") == 1


def test_a_restored_snapshot_beside_its_original_gets_a_uuid_of_its_own_on_request(emulated: Emulated) -> None:
    """Refused without it; with it, the original, its line and its mount stay as they are."""
    original = target(emulated, volume=VOLUME)
    reconcile(original, False)
    emulated.attach("vdc", COPY.replace("-", ""))
    (emulated.root / "dev/vdc").write_bytes((emulated.root / "dev/vdb").read_bytes())
    emulated.run("partx", "-u", "/dev/vdc")
    before, lines = digest(emulated), (emulated.root / "etc/fstab").read_text()
    again = reconcile(original, False).plan
    assert not again.changed
    assert "at the next boot either could be mounted" in str(again.to_result()["notes"])
    with pytest.raises(Refused, match="duplicate_uuid: renew"):
        reconcile(target(emulated, volume=COPY, path="/srv/copy"), False)
    wanted = target(emulated, volume=COPY, path="/srv/copy", duplicate_uuid="renew")
    foretold = reconcile(wanted, True).plan
    done = reconcile(wanted, False)
    assert done.plan == foretold
    assert [step.verb for step in done.plan.changes[0].steps] == ["e2fsck", "tune2fs", "wait_for_link"]
    assert done.actual.disk.partitions[0].signature.uuid == done.actual.derived("filesystem")
    assert not reconcile(wanted, False).plan.changed
    assert not reconcile(original, False).plan.changed
    assert digest(emulated) == before
    assert (emulated.root / "etc/fstab").read_text().startswith(lines)
    reconcile(target(emulated, volume=COPY, path=None, state="absent"), False)
    assert (emulated.root / "etc/fstab").read_text() == lines


def test_letting_go_of_a_copy_leaves_the_line_of_the_original(emulated: Emulated) -> None:
    """Both have one UUID; without a path, the line could be either's and stays."""
    emulated.attach("vdc", COPY.replace("-", ""))
    for name in ("vdb", "vdc"):
        emulated.run("mkfs.ext4", "-q", "-U", OTHER_UUID, f"/dev/{name}")
    emulated.put("etc/fstab", f"UUID={OTHER_UUID} /srv/data ext4\n")
    assert not reconcile(target(emulated, volume=COPY, path=None, state="absent"), False).plan.changed
    assert reconcile(target(emulated, volume=VOLUME, state="absent"), False).plan.changed
    assert (emulated.root / "etc/fstab").read_text() == ""


def test_a_line_of_the_original_at_the_path_is_not_taken_over_by_the_copy(emulated: Emulated) -> None:
    """A line whose UUID fits two devices belongs to neither."""
    emulated.attach("vdc", COPY.replace("-", ""))
    for name in ("vdb", "vdc"):
        emulated.run("mkfs.ext4", "-q", "-U", OTHER_UUID, f"/dev/{name}")
    emulated.put("etc/fstab", f"UUID={OTHER_UUID} /srv/data ext4\n")
    with pytest.raises(Refused, match="mounts something else there"):
        reconcile(target(emulated, volume=COPY, duplicate_uuid="renew"), False)


def test_partition_and_filesystem_follow_a_larger_disk(emulated: Emulated) -> None:
    """With what is on it; told by check mode, and done once."""
    declared = target(emulated, volume=VOLUME)
    reconcile(declared, False)
    emulated.grow("vdb", 4 * SIZE)
    foretold = reconcile(declared, True).plan
    done = reconcile(declared, False)
    assert done.plan == foretold
    assert [(change.kind, change.action) for change in done.plan.changes] == [("partition", "update"), ("filesystem", "update")]
    assert done.actual.geometry.size > 3.8 * SIZE
    assert not reconcile(declared, False).plan.changed


@pytest.mark.parametrize("steps", range(3))
def test_growth_that_is_stopped_after_any_step_is_finished_by_the_next(emulated: Emulated, steps: int) -> None:
    """The table grown and the kernel not told, the partition grown and the filesystem not."""
    declared = target(emulated, volume=VOLUME)
    reconcile(declared, False)
    emulated.grow("vdb", 4 * SIZE)
    with pytest.raises(Stopped):
        reconcile(stopping_after(steps)(declared.desired, emulated.machine), False)
    assert reconcile(declared, False).actual.geometry.size > 3.8 * SIZE
    assert not reconcile(declared, False).plan.changed


def test_a_size_that_is_declared_is_waited_for(emulated: Emulated) -> None:
    """A disk that has not become larger yet fails with both sizes."""
    message = refusal(emulated, size=1)
    assert "is still smaller than declared" in message
    assert "wanted 1 GiB, found 12 MiB at /dev/vdb" in message


@pytest.mark.parametrize(("size", "sector"), [(3 << 40, 512), (15 << 40, 512), (1 << 30, 512)])
def test_the_script_of_the_table_is_right_for_any_size(tmp_path: Path, size: int, sector: int) -> None:
    """Beyond 2 TiB too, where an MBR ends: one partition from 1 MiB to the last MiB of the disk."""
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(size)
    step = planning.plan(WANTED, state(Disk(Node("vdb", size, "254:16"), "vol0123456789abcdef0", sector))).changes[0].steps[0]
    command = [*step.params["argv"][:-1], str(disk)]
    subprocess.run(command, input=step.params["text"].encode(), env={"PATH": PATH}, check=True, capture_output=True)
    dumped = subprocess.run(["sfdisk", "--dump", str(disk)], env={"PATH": PATH}, check=True, capture_output=True, text=True).stdout
    (part,) = [line for line in dumped.splitlines() if "start=" in line]
    start, length = (int(re.findall(rf"{what}= *(\d+)", part)[0]) * sector for what in ("start", "size"))
    assert "label: gpt" in dumped
    assert start == MIB
    assert size - 2 * MIB <= start + length <= size - 33 * sector
    assert length % MIB == 0 or size - start - length < MIB


def test_a_serial_number_with_any_character_makes_no_other_script(emulated: Emulated) -> None:
    """It becomes the name of the partition; quotes and line ends in it are not commands of sfdisk."""
    odd = state(Disk(Node("vdb", SIZE, "0:0"), 'x"\nsize=1'))
    step = planning.plan(replace(WANTED, volume=None, device="vdb"), replace(odd, seed='x"\nsize=1, ')).changes[0].steps[0]
    assert step.params["text"].count("\n") == 5
    assert 'name="x__size_1__"' in step.params["text"]


def test_a_read_back_that_differs_is_an_error(emulated: Emulated) -> None:
    """A mount that does not stay is not called a success."""
    machine = replace(emulated.machine, command=lambda argv, text: (0, "", "") if argv[0] == "mount" else emulated.command(argv, text))
    with pytest.raises(NotConverged):
        reconcile(Anyone(target(emulated, volume=VOLUME).desired, machine), False)

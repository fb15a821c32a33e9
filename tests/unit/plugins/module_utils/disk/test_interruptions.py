# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is easily lost: a copy after an interruption, a disk whose partition is in no table, another disk by mkfs; and odd paths."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import definition, fstab, probe, transfer
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.apply import Runner
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.filesystems import ext4_names
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.plan import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import COMPLETE, Desired, Folder, Geometry, Signature
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Busy, InvalidInput, NotConverged, Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile

from .emulated import Emulated, target
from .states import BLANK, FOREIGN, FULL, GIB, MADE, MIB, PARTITION, PATH, UUID, WANTED, WHOLE, done, state

OLD = f"{PATH}.before-{UUID[:8]}"
MOVE = replace(WANTED, content="move", keep_old=False)
EMPTY = Folder(exists=True, real=PATH, old=(OLD,))


def seen(*names: str) -> Geometry:
    return Geometry(GIB - 2 * MIB, False, names)


def test_a_complete_copy_that_cannot_be_seen_is_not_thrown_away_for_new_files() -> None:
    """xfs, or ext4 with a journal to replay: killed after the switch, and a service has written since."""
    actual = state(disk=MADE, folder=replace(FULL, names=("new",), old=(OLD,)), geometry=Geometry(GIB - 2 * MIB, False, None))
    with pytest.raises(Refused, match="new files have appeared"):
        plan(MOVE, actual)


def test_a_mount_with_an_unfinished_move_is_no_success() -> None:
    """Mounted by fstab or by hand between two runs; the old copy stays."""
    with pytest.raises(Refused, match="interrupted"):
        plan(MOVE, done(geometry=seen(COMPLETE), folder=EMPTY))


def test_the_old_copy_outlives_the_filesystem_that_took_its_content() -> None:
    """The volume was wiped and is made anew."""
    assert [change.kind for change in plan(MOVE, state(folder=EMPTY, uuids={})).changes if change.kind == "old copy"] == []


class Killed(BaseException):
    """SIGKILL."""


def test_a_switch_that_was_killed_before_its_comparison_is_compared_by_the_next_run(tmp_path: Path, monkeypatch: Any) -> None:
    """A file that changed after it was verified must not be lost."""
    path, aside, old = (str(tmp_path / name) for name in ("data", "aside", "old"))
    for name in (path, aside):
        os.mkdir(name)
    (tmp_path / "data/file").write_text("one")
    transfer.copy(Machine(), path, aside, 3, 1)
    transfer.verify(path, aside)
    (tmp_path / "data/file").write_text("one, two")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(transfer, "_same", lambda *_: (_ for _ in ()).throw(Killed))
        transfer.switch(path, aside, old)
    actual = state(disk=MADE, folder=Folder(old=(OLD,)), geometry=seen(COMPLETE))
    verbs = [step.verb for change in plan(MOVE, actual).changes for step in change.steps]
    assert verbs[:3] == ["mount_aside", "settle_content", "promote_content"]
    with pytest.raises(Busy):
        transfer.settle(path, aside, old)
    assert (tmp_path / "data/file").read_text() == "one, two"


def test_which_of_several_old_copies_is_the_last_is_not_guessed() -> None:
    """The wrong one must not be taken back."""
    with pytest.raises(Refused, match="several old copies"):
        plan(MOVE, state(disk=MADE, folder=Folder(old=(OLD, f"{OLD}-2")), geometry=seen(COMPLETE)))


def test_a_file_that_vanishes_while_the_switch_compares_brings_the_directory_back(tmp_path: Path, monkeypatch: Any) -> None:
    """An OSError is a difference, too."""
    path, aside = str(tmp_path / "data"), str(tmp_path / "aside")
    for name in (path, f"{aside}/{COMPLETE}"):
        os.makedirs(name)
    monkeypatch.setattr(transfer, "_same", lambda *_: os.lstat("/nowhere"))
    with pytest.raises(FileNotFoundError):
        transfer.switch(path, aside, f"{path}.old")
    assert os.path.isdir(path)


def test_a_promotion_overwrites_nothing(tmp_path: Path) -> None:
    """Somebody wrote a file of that name onto the volume between two runs."""
    (tmp_path / COMPLETE).mkdir()
    (tmp_path / COMPLETE / "file").write_text("old")
    (tmp_path / "file").write_text("new")
    with pytest.raises(NotConverged):
        transfer.promote(str(tmp_path))
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("on_disk", [Signature(), Signature("ext4", FOREIGN), Signature("LVM2_member", "x")], ids=str)
def test_nothing_is_made_in_a_partition_that_stands_in_no_table(on_disk: Signature) -> None:
    """The kernel still shows it after blkdiscard, or after the whole disk got a filesystem."""
    phantom = replace(PARTITION, signature=Signature(), part_uuid="")
    disk = replace(BLANK, node=replace(WHOLE, signature=on_disk), partitions=(phantom,))
    with pytest.raises(Refused, match="no table"):
        plan(WANTED, state(disk=disk, uuids={}))


def test_a_filesystem_on_the_whole_disk_survives_a_phantom_partition(tmp_path: Path) -> None:
    """The same with the real tools: its checksum is what it was."""
    emulated = Emulated(tmp_path)
    disk = emulated.attach("vdb", "vol00000000000000001")
    emulated.run("mkfs.ext4", "-q", "-U", FOREIGN, "/dev/vdb")
    emulated._tell("vdb", [{"start": 8192, "size": 8192}])
    before = disk.read_bytes()
    with pytest.raises(Refused):
        reconcile(target(emulated, volume="vol-00000000000000001"), False)
    assert disk.read_bytes() == before


PARAMS = {
    **{name: option.get("default") for name, option in definition.ARGUMENTS.items()},
    "volume": "vol-01",
    "path": "/srv/data",
}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("xfs", ["-l logdev=/dev/vdc,size=64m"]),
        ("xfs", ["-llogdev=/dev/vdc"]),
        ("xfs", ["-r rtdev=/dev/vdc"]),
        ("xfs", ["-Kf"]),
        ("xfs", ["-muuid=0"]),
        ("ext4", ["-J device=/dev/vdc"]),
        ("ext4", ["-qF"]),
        ("ext4", ["-vn"]),
        ("ext4", ["-E offset=1048576"]),
    ],
)
def test_mkfs_gets_no_second_device_and_no_bundled_force(kind: str, options: list[str]) -> None:
    """mkfs.xfs writes its log over whatever stands on another disk, and asks nobody."""
    with pytest.raises(InvalidInput):
        definition.declared({**PARAMS, "filesystem": kind, "mkfs_options": options})


def test_mkfs_options_that_are_harmless_pass() -> None:
    """What people tune."""
    for kind, text in (
        ("ext4", "-i 4096 -m 0 -T largefile -E lazy_itable_init=0,stride=4 -qK"),
        ("xfs", "-m reflink=0 -n ftype=1 -K -d su=64k,sw=2"),
    ):
        assert definition.declared({**PARAMS, "filesystem": kind, "mkfs_options": [text]}).mkfs == tuple(text.split())


@pytest.mark.parametrize("owner", ["²", "4294967295", "99999999999", "nobody-of-that-name"])
def test_an_owner_that_can_be_nobody_is_refused_without_a_traceback(owner: str) -> None:
    """A digit that is no number, a number that chown does not take."""
    with pytest.raises(InvalidInput, match="no such name"):
        definition.declared({**PARAMS, "owner": owner})


@pytest.mark.parametrize("name", [COMPLETE, "lost+found"])
def test_content_with_a_name_that_is_needed_is_refused_before_it_is_copied(name: str) -> None:
    """It would be taken for a copy of ours; a file cannot take the place of the filesystem's own directory."""
    with pytest.raises(Refused, match="cannot be moved"):
        plan(MOVE, state(folder=replace(FULL, names=(name, "a")), uuids={}))


def test_what_fsck_has_found_on_the_volume_is_not_mixed_with_what_it_found_before(tmp_path: Path) -> None:
    """The second `lost+found` could not take its place, once the directory was renamed aside."""
    for place in ("data", "aside"):
        (tmp_path / place / "lost+found").mkdir(parents=True)
        (tmp_path / place / "lost+found/#12").touch()
    with pytest.raises(NotConverged, match="content of its own"):
        transfer.copy(Machine(), str(tmp_path / "data"), str(tmp_path / "aside"), 0, 1)


def test_two_slashes_and_one_list_of_options_mean_what_they_say() -> None:
    """`//srv/data` would otherwise be unmounted nowhere, and said to be fine."""
    found = definition.declared({**PARAMS, "path": "//srv//data/", "mount_options": ["ro,nofail"]})
    assert (found.path, found.options) == ("/srv/data", ("ro", "nofail"))
    with pytest.raises(InvalidInput):
        definition.declared({**PARAMS, "mode": "70755"})


def test_a_partition_that_the_kernel_does_not_show_is_not_erased_unseen() -> None:
    """What is in it has no name in the declaration, so its table alone must not be enough."""
    table = Signature(table="gpt", table_uuid=FOREIGN)
    told = "7e57ab1e-0000-4000-8000-00000000000a"
    disk = replace(BLANK, node=replace(WHOLE, signature=table), untold=(told,), unseen=("8192",))
    with pytest.raises(Refused, match="does not show a partition"):
        plan(replace(WANTED, erase=(FOREIGN,)), state(disk=disk, uuids={}))
    assert plan(replace(WANTED, erase=(FOREIGN,)), state(disk=replace(disk, unseen=()), uuids={})).changes


@pytest.mark.parametrize("path", ["/srv//data", "/srv/./data/", "//srv/data"])
def test_a_line_for_the_same_place_is_seen_however_it_is_written(path: str) -> None:
    """systemd takes them for one place, and the first wins."""
    assert [line.entry.path for line in fstab.parse(f"UUID=a {path} ext4\n".encode()) if line.entry] == ["/srv/data"]
    with pytest.raises(Refused, match="something else there"):
        plan(WANTED, state(disk=MADE, table=f"UUID=aaaa {path} ext4 defaults 0 2\n"))


@pytest.mark.parametrize("name", ["file/data", "file", "dangling", "loop", "loop/x", "n" * 300])
def test_a_path_that_can_be_no_directory_is_refused_without_a_traceback(tmp_path: Path, name: str) -> None:
    """Below a file, a link to nowhere, a link to itself, too long."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    path = str(tmp_path / name)
    found = probe.folder(Machine(), Desired(path=path), None)
    with pytest.raises(Refused, match="not a plain directory"):
        plan(replace(WANTED, path=path), state(folder=found))


def test_a_directory_that_debugfs_did_not_open_is_not_empty() -> None:
    """It ends with 0 and says nothing where it does not know a feature."""
    assert ext4_names("") is None
    assert ext4_names("/2/040755/0/0/.//\n/2/040755/0/0/..//\n") == ()


def test_only_root_looks_at_a_copy_in_the_making(tmp_path: Path) -> None:
    """The mount brings the mode of its own root: the directory above has to be closed."""
    spot = tmp_path / "run/steadfast-disk/uuid"
    runner = Runner(Machine(command=lambda argv, text: (0, "", "")), BLANK, 0)
    runner.mount_aside("/dev/vdb1", "ext4", str(spot))
    assert stat.S_IMODE(spot.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("path", ["/etc", "/srv/../etc", "/proc/x", "/dev"])
def test_what_the_machine_itself_needs_is_no_mount_point(path: str) -> None:
    """Moved aside, /etc would take fstab with it in the middle of the run."""
    with pytest.raises(InvalidInput, match="the machine itself"):
        definition.declared({**PARAMS, "path": path})


def test_a_bind_mount_of_a_directory_of_it_is_not_the_mount() -> None:
    """After a reboot something else would be there."""
    from ansible_collections.steadfast.ec2.plugins.module_utils.disk import mounts

    bound = mounts.parse(f"60 26 254:17 /sub {PATH} rw,relatime - ext4 /dev/vdb1 rw")
    with pytest.raises(Refused, match="only a directory"):
        plan(WANTED, done(mounts=bound))


def test_a_null_byte_in_fstab_is_no_traceback() -> None:
    """As a power cut may leave it."""
    assert probe._means(Machine(), {}, "/dev/\0\0") == ""


def test_an_old_copy_that_is_still_written_to_is_not_removed(tmp_path: Path) -> None:
    """Who opened a file before the switch goes on writing into the old copy."""
    import subprocess
    import sys

    (tmp_path / "log").touch()
    code = "import sys; f = open(sys.argv[1], 'a'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(Busy):
            Runner(Machine(), BLANK, 0).remove_tree(str(tmp_path))
        assert (tmp_path / "log").exists()
        writer.communicate()

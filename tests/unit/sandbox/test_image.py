# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The image cache, and the parts of an image that are made here. A whole build is part of the integration tests."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import debian, image, initrd
from sandbox.trouble import ImageError

RECIPE = debian.Recipe(sources=(("http://mirror.example/debian", debian.SUITE),), proxy="", certificates=())


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replaces the minutes of a build by a moment; the list has the entries that were built."""
    built: list[Path] = []

    def build(entry: Path, recipe: debian.Recipe, progress: image.Progress) -> None:
        built.append(entry)
        entry.mkdir()
        for name in ("vmlinuz", "initrd", "root.raw"):
            (entry / name).touch()
        (entry / "manifest.json").write_text(json.dumps(image._manifest(entry.name)))

    monkeypatch.setattr(image, "_build", build)
    monkeypatch.setattr(debian, "host_recipe", lambda: RECIPE)
    return built


def quiet(line: str) -> None:
    """Nobody watches."""


def test_an_image_is_built_once(tmp_path: Path, builds: list[Path]) -> None:
    """The second call takes it from the cache."""
    first, second = image.ensure_image(tmp_path, quiet), image.ensure_image(tmp_path, quiet)
    assert first == second
    assert len(builds) == 1
    assert first.user == "admin"


def test_two_at_once_build_one(tmp_path: Path, builds: list[Path]) -> None:
    """Who comes second waits for the first, and uses what it built."""
    threads = [threading.Thread(target=image.ensure_image, args=(tmp_path, quiet)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(builds) == 1


@pytest.mark.parametrize("gone", ["root.raw", "manifest.json", "initrd"])
def test_an_entry_that_is_not_whole_is_no_image(tmp_path: Path, builds: list[Path], gone: str) -> None:
    """Whatever removed a part of it."""
    entry = image.ensure_image(tmp_path, quiet).root.parent
    (entry / gone).unlink()
    assert image.load_image(entry) is None


def test_what_an_interrupted_build_left_is_removed(tmp_path: Path, builds: list[Path]) -> None:
    """A killed build costs its space only until the next one."""
    leftover = tmp_path / ".building-123"
    (leftover / "tree").mkdir(parents=True)
    image.ensure_image(tmp_path, quiet)
    assert not leftover.exists()


def test_another_recipe_is_another_image() -> None:
    """A changed mirror, proxy or certificate makes a new image; the same recipe the same."""
    digests = {
        image.recipe_digest(recipe)
        for recipe in (RECIPE, replace(RECIPE), replace(RECIPE, proxy="http://p:3128"), replace(RECIPE, certificates=("c",)))
    }
    assert len(digests) == 3


def test_too_little_space_is_said_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a minute later, from somewhere inside of a package."""
    monkeypatch.setattr(image, "SPACE_NEEDED", 1 << 60)
    with pytest.raises(ImageError, match=r"MiB free.*Free some space"):
        image.ensure_image(tmp_path, quiet)


def test_missing_tools_are_named_with_the_command_that_installs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer can copy it."""
    monkeypatch.setattr(debian, "which", lambda tool: None if tool == "mmdebstrap" else "/bin/true")
    with pytest.raises(ImageError, match=r"not installed: mmdebstrap\. Run: apt-get install .*mmdebstrap"):
        image.ensure_image(tmp_path, quiet)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "Err:1 http://mirror.example/debian bookworm InRelease\n  Could not resolve 'mirror.example'",
            "cannot be reached.*Could not resolve",
        ),
        ("dpkg: error: cannot copy: No space left on device", "the disk is full"),
        ("something odd", "exit code 3[^$]*something odd"),
    ],
)
def test_a_failed_tool_becomes_a_clear_error(tmp_path: Path, said: str, message: str) -> None:
    """Network, disk, or the end of the log."""
    run = debian.Runner(tmp_path / "build.log", tmp_path)
    with pytest.raises(ImageError, match=message):
        run([sys.executable, "-c", f"print({said!r}); raise SystemExit(3)"])


def test_tools_get_their_input_and_are_heard(tmp_path: Path) -> None:
    """Each line goes to the log and to who listens."""
    heard: list[str] = []
    debian.Runner(tmp_path / "build.log", tmp_path)(["cat"], stdin="one\ntwo\n", heard=heard.append)
    assert heard == ["one", "two"]
    assert (tmp_path / "build.log").read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("targets", "sources"),
    [
        (
            "http://mirror/debian/ bookworm main\nhttp://mirror/debian/ bookworm-updates main\nhttps://sec/ bookworm-security main\n"
            "http://mirror/debian/ bookworm contrib\nhttp://mirror/debian/ bookworm main\nhttp://other/repo stable main\n",
            (("http://mirror/debian", "bookworm"), ("http://mirror/debian", "bookworm-updates"), ("https://sec", "bookworm-security")),
        ),
        ("http://archive.ubuntu.com/ubuntu noble main\n", ()),
        ("http://sec/ bookworm-security main\n", ()),
        ("file:/mnt/debian bookworm main\n", ()),
        ("", ()),
    ],
)
def test_the_mirrors_of_a_debian_12_host_are_taken_over(targets: str, sources: tuple[tuple[str, str], ...]) -> None:
    """Where the host gets its packages its machines get theirs; a host of another kind says nothing about Debian 12."""
    assert debian.parse_sources(targets) == sources


def test_modules_are_loaded_after_what_they_need() -> None:
    """insmod does not look for dependencies."""
    modules_dep = (
        "k/virtio_blk.ko: k/virtio.ko k/virtio_ring.ko\nk/virtio.ko: k/virtio_ring.ko\nk/virtio_ring.ko:\n"
        "k/net.ko: k/virtio.ko k/virtio_ring.ko\n"
    )
    assert initrd.load_order(modules_dep, ("virtio_blk", "net")) == ["k/virtio_ring.ko", "k/virtio.ko", "k/virtio_blk.ko", "k/net.ko"]


def test_the_initrd_can_be_unpacked(tmp_path: Path) -> None:
    """An independent reader finds names, modes and contents."""
    archive = initrd.cpio([("bin", 0o040755, b""), ("bin/tool", 0o100755, b"odd"), ("empty", 0o100644, b"")])
    members = read_newc(archive)
    assert members == {"bin": (0o040755, b""), "bin/tool": (0o100755, b"odd"), "empty": (0o100644, b"")}


def read_newc(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """A reader of cpio archives after the kernel's description of the format."""
    members: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return members
        members[name] = (mode, archive[start : start + size])
        at = (start + size + 3) & ~3


def test_the_root_disk_has_one_partition_with_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GPT, aligned, ext4, labelled, owners and content of the tree, and no more space than it takes."""
    monkeypatch.setattr(image, "ROOT_SIZE", 64 << 20)
    tree, disk = tmp_path / "tree", tmp_path / "root.raw"
    tree.mkdir()
    (tree / "hello").write_text("from the image\n")
    image.write_root_disk(tree, disk, debian.Runner(tmp_path / "log", tmp_path))
    table = json.loads(output("sfdisk", "--json", str(disk)))["partitiontable"]
    (partition,) = table["partitions"]
    assert table["label"] == "gpt"
    assert partition["start"] * 512 == image.PARTITION_START
    inside = f"{disk}?offset={image.PARTITION_START}"
    assert output("debugfs", "-R", "cat /hello", inside) == "from the image\n"
    assert "Filesystem volume name:   root" in output("dumpe2fs", "-h", inside)
    blocks = int(output("dumpe2fs", "-h", inside).split("Block count:")[1].split()[0])
    size = int(output("dumpe2fs", "-h", inside).split("Block size:")[1].split()[0])
    assert blocks * size <= partition["size"] * 512
    assert disk.stat().st_blocks * 512 < 16 << 20


def output(tool: str, *arguments: str) -> str:
    """What a disk tool prints."""
    return subprocess.run([debian.which(tool) or tool, *arguments], capture_output=True, text=True, check=True).stdout

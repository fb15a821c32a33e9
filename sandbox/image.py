# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The image that sandbox machines start from: built from Debian packages on first use, then cached.

No loop device, mount or virtual machine is needed: the packages are unpacked into a directory, and mke2fs fills
the filesystem from it. The cache entry is named after a digest of everything that goes into it, so a changed
recipe is a new image, and it is renamed into place whole, so an interrupted build leaves none.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional

from sandbox import debian, initrd
from sandbox.trouble import ImageError

Progress = Callable[[str], None]

GUEST = Path(__file__).parent / "guest"
USER = "admin"
ROOT_SIZE = 8 << 30
#: Where the one partition starts; 1 MiB is what every tool aligns to.
PARTITION_START = 1 << 20
#: What a build takes at its peak, with room to breathe: the tree, the root disk filled from it, downloaded packages.
SPACE_NEEDED = 3 << 30


@dataclass(frozen=True)
class Image:
    """What a machine needs to start: a kernel, an initrd, and a root disk that is only ever copied or overlaid."""

    name: str
    kernel: Path
    initrd: Path
    root: Path
    root_size: int
    user: str


def ensure_image(cache: Path, progress: Progress = lambda line: print(line, file=sys.stderr)) -> Image:
    """The image, from the cache or built now. Safe when it is interrupted, and when two processes do it at once."""
    recipe = debian.host_recipe()
    entry = cache / f"debian-12-amd64-{recipe_digest(recipe)}"
    if found := load_image(entry):
        return found
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / ".lock", progress):
        if found := load_image(entry):  # built by whoever held the lock
            return found
        for leftover in cache.glob(".building-*"):
            shutil.rmtree(leftover)
        _build(entry, recipe, progress)
    if not (found := load_image(entry)):
        raise ImageError(f"the image that was just built into {entry} cannot be read")
    return found


def load_image(entry: Path) -> Optional[Image]:
    """The image in this cache entry, or nothing when it is not there whole."""
    try:
        manifest = json.loads((entry / "manifest.json").read_text())
    except (OSError, ValueError):
        return None
    image = Image(
        name=manifest["name"],
        kernel=entry / manifest["kernel"],
        initrd=entry / manifest["initrd"],
        root=entry / manifest["root"],
        root_size=manifest["root_size"],
        user=manifest["user"],
    )
    whole = all(path.exists() for path in (image.kernel, image.initrd, image.root))
    return image if whole else None


def recipe_digest(recipe: debian.Recipe) -> str:
    """Changes whenever an image built now would be another one than the image built then."""
    digest = hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode())
    builders = (Path(__file__), Path(debian.__file__), Path(initrd.__file__))
    for path in (*sorted(GUEST.iterdir()), *builders):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock file; the kernel lets go of it however this process ends."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("image: another process is building it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(entry: Path, recipe: debian.Recipe, progress: Progress) -> None:
    """Build the image beside its place in the cache, and rename it there when it is whole."""
    _check_host(entry.parent)
    work = entry.parent / f".building-{os.getpid()}"
    work.mkdir()
    tree = work / "tree"
    run = debian.Runner(work.with_name("build.log"), entry.parent)
    try:
        progress(f"image: building Debian 12 from {recipe.mirrors} (once; one to three minutes)")
        debian.install(tree, recipe, run, progress)
        progress("image: configuring")
        debian.configure(tree, recipe, run, GUEST)
        release = debian.kernel_release(tree)
        shutil.copy2(tree / f"boot/vmlinuz-{release}", work / "vmlinuz")
        (work / "initrd").write_bytes(initrd.build(tree, release, GUEST / "init"))
        progress("image: writing the root disk")
        write_root_disk(tree, work / "root.raw", run)
        shutil.rmtree(tree)
        (work / "manifest.json").write_text(json.dumps(_manifest(entry.name), indent=1) + "\n")
        if entry.exists():  # there, but not whole
            shutil.rmtree(entry)
        work.rename(entry)
        progress(f"image: ready in {entry}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _manifest(name: str) -> Dict[str, object]:
    return {
        "name": name,
        "kernel": "vmlinuz",
        "initrd": "initrd",
        "root": "root.raw",
        "root_size": ROOT_SIZE,
        "user": USER,
    }


def _check_host(cache: Path) -> None:
    """Refuse before the first minute of work what could only fail at its end."""
    if os.geteuid() != 0:
        raise ImageError("building the image needs root. Run the same command as root or with sudo.")
    missing = [tool for tool in ("mmdebstrap", "mke2fs", "sfdisk") if not debian.which(tool)]
    if missing:
        packages = " ".join(debian.host_packages())
        raise ImageError(f"not installed: {', '.join(missing)}. Run: apt-get install {packages}")
    free = shutil.disk_usage(cache).free
    if free < SPACE_NEEDED:
        raise ImageError(
            f"{cache} has {free >> 20} MiB free, and building the image takes {SPACE_NEEDED >> 20} MiB."
            " Free some space, or put the cache on another disk."
        )


def write_root_disk(tree: Path, disk: Path, run: debian.Runner) -> None:
    """Make a GPT disk with one ext4 partition filled from `tree`, like the root disk of an EC2 instance."""
    with disk.open("wb") as file:
        file.truncate(ROOT_SIZE)
    start = PARTITION_START // 512
    table = f"label: gpt\nfirst-lba: 34\nstart={start}, type=linux, name=root\n"
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(disk)], stdin=table)
    # the backup of the partition table takes the last 33 sectors; whole MiB are left off for it
    kib = (ROOT_SIZE - PARTITION_START - (1 << 20)) >> 10
    # the file is new, hence zero: saying so saves writing, and the guest zeroing it again
    features = f"offset={PARTITION_START},lazy_itable_init=0,assume_storage_prezeroed=1,root_owner=0:0"
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-E", features, "-d", str(tree), str(disk), f"{kib}k"])

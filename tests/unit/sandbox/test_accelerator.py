# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""KVM only where a guest really runs under it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sandbox import accelerator as module
from sandbox.accelerator import KVM, TCG, accelerator, guest_runs, probe_argv
from sandbox.image import Image


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev/kvm that can be opened, on a host where nobody has chosen."""
    monkeypatch.delenv("STEADFAST_SANDBOX_ACCELERATOR", raising=False)
    path = tmp_path / "kvm"
    path.touch()
    return path


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Where an image would be."""
    return Image("image", tmp_path / "vmlinuz", tmp_path / "initrd", tmp_path / "root.raw", 1 << 30, "admin")


def trials(monkeypatch: pytest.MonkeyPatch, works: bool) -> list[list[str]]:
    """Make each trial end as given; the list fills with the trials."""
    tried: list[list[str]] = []

    def answer(argv: list[str]) -> bool:
        tried.append(argv)
        return works

    monkeypatch.setattr(module, "guest_runs", answer)
    return tried


@pytest.mark.parametrize(("works", "chosen"), [(True, KVM), (False, TCG)])
def test_kvm_is_taken_when_a_guest_runs_under_it(
    image: Image, device: Path, monkeypatch: pytest.MonkeyPatch, works: bool, chosen: str
) -> None:
    """The trial decides, not the device file."""
    trials(monkeypatch, works)
    assert accelerator(image, device) == chosen


def test_without_the_device_nothing_is_tried(image: Image, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most hosts of CI have none: they do not wait for a trial."""
    tried = trials(monkeypatch, True)
    assert accelerator(image, device.with_name("none")) == TCG
    assert tried == []


def test_it_is_tried_once_per_boot(image: Image, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing trial takes seconds; the second sandbox does not pay them again."""
    tried = trials(monkeypatch, False)
    assert [accelerator(image, device) for _ in range(3)] == [TCG] * 3
    assert len(tried) == 1


@pytest.mark.parametrize("damage", ["", "[]", '{"boot": "another", "accelerator": "kvm"}'])
def test_a_memory_that_does_not_fit_is_not_trusted(image: Image, device: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    """After a reboot, or with a damaged file, it is tried again."""
    tried = trials(monkeypatch, False)
    image.kernel.with_name("accelerator.json").write_text(damage)
    assert accelerator(image, device) == TCG
    assert len(tried) == 1


def test_the_environment_decides_if_set(image: Image, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who knows better can say so."""
    trials(monkeypatch, True)
    monkeypatch.setenv("STEADFAST_SANDBOX_ACCELERATOR", "tcg")
    assert accelerator(image, device) == TCG


def test_a_guest_that_never_speaks_does_not_run() -> None:
    """QEMU alive, guest silent: that is the host where KVM must not be used."""
    assert not guest_runs([sys.executable, "-c", "import time; time.sleep(60)"], patience=0.3)


def test_a_program_that_ends_does_not_run() -> None:
    """QEMU refused to start."""
    assert not guest_runs([sys.executable, "-c", "raise SystemExit(1)"], patience=30)


def test_the_trial_is_the_kernel_of_the_image_on_the_processor_of_the_machines(image: Image) -> None:
    """A firmware may run where a Linux kernel dies on its first unusual instruction."""
    argv = probe_argv(KVM, image)
    assert argv[argv.index("-kernel") + 1] == str(image.kernel)
    assert argv[argv.index("-cpu") + 1] == "host"

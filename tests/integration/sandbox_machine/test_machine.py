# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One real machine: boots, disks, ports and power, in the order of a day."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import disks
from sandbox.accelerator import accelerator, guest_runs, probe_argv
from sandbox.image import Image, ensure_image
from sandbox.machine import Exit, Machine, MachineSpec
from sandbox.settings import Settings
from sandbox.single import ssh_argv
from sandbox.trouble import DiskError, MachineError
from tests.support.sandbox import eventually

pytestmark = pytest.mark.machine

GIB = 1 << 30
CACHE = Settings(Path()).image_cache
#: Software emulation on a busy computer takes its time.
PATIENCE = 600.0
ROOT, DATA, FAST = (f"vol-{number:017x}" for number in range(3))
USER_DATA = b"#!/bin/sh\nid -un\necho ran >> /root/ran\n"


class Lab:
    """A machine with a key, and the files of its disks."""

    def __init__(self, directory: Path, image: Image, address: str) -> None:
        self.address = address
        self.image = image
        self.directory = directory
        self.key = directory / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        disks.overlay(image.root, directory / "root.qcow2", image.root_size)
        for name in ("data", "fast"):
            disks.create(directory / f"{name}.raw", GIB)
        self.spec = MachineSpec(
            kernel=image.kernel,
            initrd=image.initrd,
            root=directory / "root.qcow2",
            root_id=ROOT,
            instance_id="i-lab",
            hostname="lab",
            private_ip="172.31.16.9",
            ssh_public_keys=(self.key.with_suffix(".pub").read_text(),),
            user_data=USER_DATA,
        )
        self.ends: list[Exit | None] = []
        self.machine = self.make("machine", self.spec)
        self.machine.forward(address, 22, 22)

    def make(self, name: str, spec: MachineSpec) -> Machine:
        """Another machine on the same host."""
        fast = accelerator(self.image)
        return Machine(self.directory / name, spec, accelerator=fast, on_exit=lambda machine: self.ends.append(machine.last_exit))

    def ssh(self, command: str, check: bool = True) -> str:
        """What a command prints; nothing when it fails and need not succeed."""
        argv = [*ssh_argv(self.key, self.address, 22), "-o", "ConnectTimeout=60", command]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip() if done.returncode == 0 else ""

    def boot_id(self) -> str:
        """Which boot this is, once the machine answers."""
        return str(eventually(lambda: self.ssh("cat /proc/sys/kernel/random/boot_id", check=False), timeout=PATIENCE, pause=1))

    def disk(self, volume_id: str) -> str:
        """The name of a volume inside the machine, once it is there."""
        serial = volume_id.replace("-", "")
        find = f'lsblk -ndo NAME,SERIAL | awk \'$2 == "{serial}" {{print "/dev/" $1}}\''
        return str(eventually(lambda: self.ssh(find), timeout=PATIENCE, pause=0.5))

    def size(self, device: str) -> int:
        """The size of a disk as the machine sees it."""
        return int(self.ssh(f"lsblk -bndo SIZE {device}"))


@pytest.fixture(scope="module")
def image() -> Image:
    """The image of the checkout, built if nobody has."""
    return ensure_image(CACHE)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, image: Image) -> Iterator[Lab]:
    """The machine that the tests share; each leaves it running."""
    lab = Lab(tmp_path_factory.mktemp("lab"), image, "127.0.3.1")
    lab.machine.start()
    try:
        try:
            lab.boot_id()
        except AssertionError as error:
            raise AssertionError(f"no machine answers: {lab.machine.last_words()}") from error
        yield lab
    finally:
        lab.machine.kill()


def test_the_trial_of_the_accelerator_tells_a_running_guest(image: Image) -> None:
    """Under software emulation the kernel of the image gets to the sign of life; so it does under a KVM that works."""
    assert guest_runs(probe_argv("tcg", image), patience=PATIENCE)


def banner(address: str, port: int) -> str:
    """What a port says first; "refused" if nobody listens."""
    try:
        with socket.create_connection((address, port), timeout=60) as connection:
            return connection.recv(4).decode()
    except ConnectionRefusedError:
        return "refused"


def test_it_boots_as_who_it_was_told_to_be(lab: Lab) -> None:
    """Name, address, user with sudo, and the host key that the host made."""
    assert lab.ssh("hostname; id -un; sudo id -un").split() == ["lab", "admin", "root"]
    assert "172.31.16.9/16" in lab.ssh("ip -4 address show eth0")


def test_its_host_key_is_known_before_it_starts(lab: Lab) -> None:
    """The host made it: nobody has to trust the first connection."""
    known, public = lab.directory / "known_hosts", lab.machine.directory / "ssh_host_ed25519_key.pub"
    known.write_text(f"{lab.address} {public.read_text()}")
    strict = ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known}", "-o", "ConnectTimeout=60"]
    subprocess.run(["ssh", "-i", str(lab.key), *strict, f"admin@{lab.address}", "true"], check=True)


def test_nothing_failed_at_boot(lab: Lab) -> None:
    """No unit is in trouble, and a password opens nothing."""
    assert lab.ssh("systemctl --failed --no-legend") == ""
    assert "passwordauthentication no" in lab.ssh("sudo sshd -T")


def test_user_data_ran_once_as_root(lab: Lab) -> None:
    """Its output is where EC2 has it, and who waits for its end is told."""
    eventually(lambda: lab.ssh("cat /var/lib/cloud/instance/boot-finished", check=False), timeout=PATIENCE, pause=1)
    assert lab.ssh("cat /var/log/cloud-init-output.log") == "root"
    assert lab.ssh("cloud-init status --wait").splitlines()[-1] == "status: done"


def test_packages_can_be_installed(lab: Lab) -> None:
    """The mirrors of the host answer in the machine, and the lists that came with the image are good for them."""
    lab.ssh("sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q tree")
    assert "tree" in lab.ssh("tree --version")


def test_a_volume_is_plugged_in_and_grows_in_use(lab: Lab) -> None:
    """A running machine sees the serial at once, and the new size under a mounted filesystem."""
    lab.machine.attach(DATA, lab.directory / "data.raw")
    disk = lab.disk(DATA)
    lab.ssh(f"sudo mkfs.ext4 -q {disk} && sudo mkdir -p /data && sudo mount {disk} /data && echo kept | sudo tee /data/file && sync")
    lab.machine.resize(DATA, 2 * GIB)
    eventually(lambda: lab.size(disk) == 2 * GIB, timeout=PATIENCE, pause=0.5)
    lab.ssh(f"sudo resize2fs {disk} && cat /data/file")
    with pytest.raises(DiskError, match="cannot become smaller"):
        lab.machine.resize(DATA, GIB)


def test_an_nvme_volume_with_large_sectors(lab: Lab) -> None:
    """As on newer instance types; that it cannot grow in use is said."""
    lab.machine.attach(FAST, lab.directory / "fast.raw", bus="nvme", logical_block_size=4096)
    disk = lab.disk(FAST)
    assert disk.startswith("/dev/nvme")
    assert lab.ssh(f"lsblk -ndo LOG-SEC {disk}") == "4096"
    with pytest.raises(MachineError, match="nvme"):
        lab.machine.resize(FAST, 2 * GIB)


def test_a_paused_machine_can_be_copied(lab: Lab) -> None:
    """The copies hold what was written, of volume and root disk; the machine goes on."""
    with lab.machine.paused():
        disks.copy(lab.directory / "data.raw", lab.directory / "copy.raw")
        disks.copy(lab.spec.root, lab.directory / "root-copy.raw")
    assert subprocess.run(["grep", "--quiet", "--text", "kept", lab.directory / "copy.raw"], check=False).returncode == 0
    assert (lab.directory / "root-copy.raw").stat().st_size == 8 * GIB
    assert lab.ssh("echo on") == "on"


def test_ports_open_and_close(lab: Lab) -> None:
    """At an address of their own; an address that is taken is an error."""
    lab.machine.forward("127.0.3.2", 2222, 22)
    assert banner("127.0.3.2", 2222) == "SSH-"
    with socket.create_server(("127.0.3.2", 2223)), pytest.raises(MachineError, match=r"127\.0\.3\.2:2223 cannot be opened"):
        lab.machine.forward("127.0.3.2", 2223, 22)
    lab.machine.unforward("127.0.3.2", 2222)
    assert banner("127.0.3.2", 2222) == "refused"


def test_a_reboot_is_real_and_keeps_what_is_plugged_in(lab: Lab) -> None:
    """Another boot of the same machine: volumes there, the root filesystem grown, user data not run again."""
    before = lab.boot_id()
    lab.machine.resize(ROOT, 9 * GIB)
    lab.machine.reboot(PATIENCE)
    eventually(lambda: lab.boot_id() != before, timeout=PATIENCE)
    assert lab.disk(DATA)
    assert lab.disk(FAST)
    eventually(lambda: int(lab.ssh("df --output=size -B1 / | tail -1")) > 8.5 * GIB, timeout=PATIENCE, pause=1)
    assert lab.ssh("sudo cat /root/ran") == "ran"
    assert lab.ssh("journalctl --list-boots --quiet --no-pager | wc -l") == "2"


def test_a_reboot_from_inside(lab: Lab) -> None:
    """`reboot` in the machine does not end it."""
    before = lab.boot_id()
    lab.ssh("sudo systemctl reboot", check=False)
    eventually(lambda: lab.boot_id() != before, timeout=PATIENCE)
    assert lab.machine.alive


def test_detaching(lab: Lab) -> None:
    """The machine lets go, also of a disk that is mounted, as when EC2 is told to force it; the rest stays."""
    lab.ssh(f"sudo mount {lab.disk(DATA)} /data")
    for volume_id in (FAST, DATA):
        lab.machine.detach(volume_id, PATIENCE)
    assert lab.ssh("lsblk -ndo SERIAL").split() == [ROOT.replace("-", "")]
    lab.machine.attach(DATA, lab.directory / "data.raw")
    assert lab.disk(DATA)


def test_stopped_and_started_it_has_its_disks_and_ports(lab: Lab) -> None:
    """A stop is a clean shutdown, and the end is reported as asked for."""
    lab.machine.shutdown(PATIENCE)
    assert not lab.machine.alive
    assert lab.ends.pop() == Exit("asked", "i-lab was stopped")
    lab.machine.start()
    lab.boot_id()
    lab.ssh(f"sudo mount {lab.disk(DATA)} /data")
    assert lab.ssh("cat /data/file") == "kept"


def test_a_power_off_from_inside_is_told_from_a_crash(lab: Lab) -> None:
    """Who watches learns which of the two it was."""
    lab.ssh("sudo systemctl poweroff", check=False)
    eventually(lambda: lab.ends, timeout=PATIENCE)
    assert lab.ends.pop() == Exit("guest", "i-lab powered itself off")
    lab.machine.start()
    os.kill(lab.machine.pid, signal.SIGKILL)
    eventually(lambda: lab.ends, timeout=PATIENCE)
    end = lab.ends.pop()
    assert end
    assert end.kind == "crash"
    assert "SIGKILL" in end.reason
    with pytest.raises(MachineError, match="i-lab is not running"):
        lab.machine.reboot()


def test_a_copy_of_the_root_disk_is_another_instance(lab: Lab) -> None:
    """As with an image of one's own: a new name and new keys, and its user data runs, whatever the copied machine had run."""
    lab.machine.kill()
    lab.ends.clear()
    spec = replace(
        lab.spec,
        instance_id="i-copy",
        hostname="copy",
        root=lab.directory / "root-copy.raw",
        root_format="raw",
        user_data=b"#cloud-config\nwrite_files:\n  - {path: /root/from-cloud-config, content: yes-it-ran}\n",
    )
    copy = lab.make("copy", spec)
    copy.forward(lab.address, 22, 22)
    copy.start()
    try:
        lab.boot_id()
        assert lab.ssh("hostname") == "copy"
        eventually(lambda: lab.ssh("sudo cat /root/from-cloud-config", check=False) == "yes-it-ran", timeout=PATIENCE, pause=2)
        assert lab.ssh("sudo cat /root/ran") == "ran"
    finally:
        copy.kill()


def test_a_machine_does_not_outlive_a_killed_sandbox(lab: Lab) -> None:
    """SIGKILL leaves nobody time to clean up; the machine is gone all the same."""
    code = (
        "import sys, time; from pathlib import Path; from tests.integration.sandbox_machine.test_machine import *\n"
        "from sandbox.image import load_image\n"
        "lab = Lab(Path(sys.argv[1]), load_image(Path(sys.argv[2])), '127.0.3.3')\n"
        "lab.machine.start(); print(lab.machine.pid, flush=True); time.sleep(600)"
    )
    directory = lab.directory / "child"
    directory.mkdir()
    entry = lab.spec.kernel.parent
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen([sys.executable, "-c", code, directory, entry], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()

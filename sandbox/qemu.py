# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a machine is, and the QEMU command line that makes it: pure functions, nothing is started here."""

from __future__ import annotations

import gzip
import io
import ipaddress
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Tuple

from sandbox.trouble import MachineError

#: As many volumes as fit one machine beside its root disk; an EC2 instance takes about as many.
PORTS = 24
#: The first PCI slot for volumes. Those below it are taken by what every machine has.
FIRST_PORT = 8
GUEST_ADDRESS = "10.0.2.15"
#: Quiet, and without what only costs an emulated processor: self-tests, mitigations, a second look at timers, memory
#: that is cleared twice or in huge pages. The console is a log file, which colours would only make unreadable.
KERNEL_OPTIONS = (
    "quiet net.ifnames=0 mitigations=off nokaslr no_timer_check tsc=reliable cryptomgr.notests raid=noautodetect audit=0"
    " init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off transparent_hugepage=madvise psi=0"
    " systemd.show_status=true systemd.log_level=notice TERM=dumb"
)
#: Everything that QEMU can emulate, but string instructions that are slower emulated than the loops they replace: programs
#: look for the flags erms and fsrm, the Linux kernel also goes by the model.
EMULATED_PROCESSOR = "max,erms=off,fsrm=off,model=4,stepping=0"


@dataclass(frozen=True)
class MachineSpec:
    """One machine: what it starts from and who it is. The same spec may be started again and again."""

    kernel: Path
    initrd: Path
    #: the root disk, which the machine writes to; an overlay of the image, never the image itself
    root: Path
    root_id: str
    instance_id: str
    hostname: str
    root_format: str = "qcow2"
    ssh_public_keys: Tuple[str, ...] = ()
    #: as it was given, not encoded; compressed with gzip is fine
    user_data: bytes = b""
    #: the address that the machine sees as its own; nobody else sees it
    private_ip: str = GUEST_ADDRESS
    memory_mib: int = 768
    cpus: int = 1


@dataclass(frozen=True)
class Attachment:
    """A volume in a machine: where it is plugged in, and how it looks from inside."""

    volume_id: str
    path: Path
    port: int
    bus: str = "virtio"
    logical_block_size: int = 512
    read_only: bool = False

    @property
    def serial(self) -> str:
        """The serial number that the guest sees: the id without its dash, which fits the 20 characters of virtio."""
        return serial(self.volume_id)


def serial(volume_id: str) -> str:
    """`vol-0123…` as the serial number of a disk: EBS leaves the dash out, and virtio cuts after 20 characters."""
    return volume_id.replace("-", "", 1)[:20]


def node_name(volume_id: str) -> str:
    """The name of a volume's block node."""
    return f"disk-{serial(volume_id)}"


def nothing_name(volume_id: str) -> str:
    """The name of the block node that takes the place of a volume's own."""
    return f"nothing-{serial(volume_id)}"


def device_id(volume_id: str) -> str:
    """The name of a volume's device."""
    return f"device-{serial(volume_id)}"


def block_node(name: str, path: Path, disk_format: str, read_only: bool = False) -> Dict[str, Any]:
    """The block node of a disk file, as blockdev-add takes it. Flushes stay in the page cache: fast, safe while the host lives."""
    file = {"driver": "file", "filename": str(path), "discard": "unmap", "aio": "threads"}
    cache = {"no-flush": True, "direct": False}
    node: Dict[str, Any] = {"driver": disk_format, "node-name": name, "file": file, "cache": cache, "read-only": read_only}
    if not read_only:
        node["discard"] = "unmap"
    return node


def volume_node(attachment: Attachment) -> Dict[str, Any]:
    """The block node of a volume. Its format is named: a guest that writes a qcow2 header must not become its interpreter."""
    return block_node(node_name(attachment.volume_id), attachment.path, "raw", attachment.read_only)


def nothing_node(volume_id: str, size: int) -> Dict[str, Any]:
    """The block node of a disk of `size` bytes that is gone: every read, write and flush is an error."""
    errors = [{"event": "none", "iotype": kind} for kind in ("read", "write", "write-zeroes", "discard", "flush")]
    image = {"driver": "null-co", "size": size}
    return {"driver": "blkdebug", "node-name": nothing_name(volume_id), "image": image, "inject-error": errors}


def volume_device(attachment: Attachment) -> Dict[str, Any]:
    """The device of a volume, as device_add takes it."""
    drivers = {"virtio": "virtio-blk-pci", "nvme": "nvme"}
    if attachment.bus not in drivers:
        raise MachineError(f"volumes are plugged in as {' or '.join(drivers)}, not as {attachment.bus}")
    return {
        "driver": drivers[attachment.bus],
        "id": device_id(attachment.volume_id),
        "drive": node_name(attachment.volume_id),
        "serial": attachment.serial,
        "addr": f"{FIRST_PORT + attachment.port:x}",
        "logical_block_size": attachment.logical_block_size,
        "physical_block_size": max(attachment.logical_block_size, 512),
    }


def qemu_argv(spec: MachineSpec, directory: Path, accelerator: str, qmp_fd: int, attachments: Iterable[Attachment]) -> List[str]:
    """The whole command line. The machine ends with the thread that started it, even when that is killed."""
    argv = ["setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64", "-name", f"{spec.instance_id},process={spec.instance_id}"]
    argv += processor_args(accelerator, spec.cpus)
    argv += ["-no-user-config", "-nodefaults", "-display", "none", "-m", str(spec.memory_mib)]
    argv += boot_args(spec, directory)
    argv += ["-chardev", f"file,id=console,path={comma(directory / 'console.log')},append=on", "-serial", "chardev:console"]
    argv += ["-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"]
    argv += ["-device", "virtio-rng-pci,addr=5", *network_args(spec), *root_args(spec)]
    for attachment in attachments:
        argv += ["-blockdev", json_arg(volume_node(attachment)), "-device", json_arg(volume_device(attachment))]
    return argv


def processor_args(accelerator: str, cpus: int) -> List[str]:
    """Machine type and processor.

    `pc` takes new disks on its one bus; q35 would need a bridge for each, and an emulated processor seconds for all of them.
    """
    argv = ["-machine", "pc,usb=off,vmport=off,smbus=off", "-smp", str(cpus)]
    if accelerator == "kvm":
        return [*argv, "-accel", "kvm", "-cpu", "host"]
    return [*argv, "-accel", "tcg,thread=multi,tb-size=256", "-cpu", EMULATED_PROCESSOR]


def boot_args(spec: MachineSpec, directory: Path) -> List[str]:
    """Kernel, initrd and seed: the host is the boot loader."""
    command_line = f"console=ttyS0 sandbox.root={serial(spec.root_id)} {KERNEL_OPTIONS}"
    seed = f"name=opt/sandbox/seed,file={comma(directory / 'seed.tar')}"
    return ["-kernel", str(spec.kernel), "-initrd", str(spec.initrd), "-append", command_line, "-fw_cfg", seed]


def network_args(spec: MachineSpec) -> List[str]:
    """A network of its own, in which the machine has the private address that EC2 says it has."""
    network = guest_network(spec.private_ip)
    user = f"user,id=net0,ipv6=off,net={network},host={network[1]},dns={network[2]},dhcpstart={spec.private_ip}"
    return ["-netdev", user, "-device", "virtio-net-pci,netdev=net0,romfile=,addr=3"]


def guest_network(private_ip: str) -> ipaddress.IPv4Network:
    """The network around an address: wide enough that its router and name server never are an instance's address."""
    return ipaddress.IPv4Network(f"{private_ip}/16", strict=False)


def root_args(spec: MachineSpec) -> List[str]:
    """The root disk, which is not plugged into a port: it comes before all volumes and never leaves."""
    node = block_node(node_name(spec.root_id), spec.root, spec.root_format)
    device = {"driver": "virtio-blk-pci", "id": device_id(spec.root_id), "drive": node["node-name"], "serial": serial(spec.root_id)}
    return ["-blockdev", json_arg(node), "-device", json_arg({**device, "addr": "4"})]


def json_arg(value: Mapping[str, Any]) -> str:
    """An option as JSON, which needs no escapes for paths."""
    return json.dumps(value)


def comma(path: Path) -> str:
    """A path inside a comma-separated option."""
    return str(path).replace(",", ",,")


def seed(spec: MachineSpec, host_key: str, host_key_public: str) -> bytes:
    """The archive from which the machine learns who it is (read by guest/init)."""
    network = guest_network(spec.private_ip)
    files: Dict[str, bytes] = {
        "instance-id": spec.instance_id.encode() + b"\n",
        "hostname": spec.hostname.encode() + b"\n",
        "address": f"{spec.private_ip}/{network.prefixlen}\n".encode(),
        "gateway": f"{network[1]}\n".encode(),
        "nameserver": f"{network[2]}\n".encode(),
        "authorized_keys": "".join(f"{key.strip()}\n" for key in spec.ssh_public_keys).encode(),
        "ssh_host_ed25519_key": host_key.encode(),
        "ssh_host_ed25519_key.pub": host_key_public.encode(),
        "user-data": plain_user_data(spec.user_data),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def plain_user_data(user_data: bytes) -> bytes:
    """User data as it was before somebody compressed it; cloud-init takes both."""
    if not user_data.startswith(b"\x1f\x8b"):
        return user_data
    try:
        return gzip.decompress(user_data)
    except (OSError, EOFError) as error:
        raise MachineError(f"the user data looks compressed but cannot be read: {error}") from error

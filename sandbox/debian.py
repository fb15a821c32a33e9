# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Debian 12 system in a directory: what is installed in it, and how it differs from a plain one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from sandbox.trouble import ImageError

SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGES = (
    # the system
    "linux-image-cloud-amd64 systemd-sysv udev dbus kmod busybox-static iproute2 procps cloud-init",
    # what an administrator finds on a Debian image of EC2
    "openssh-server sudo ca-certificates curl less nano vim-tiny iputils-ping netbase unzip xz-utils rsync acl",
    # Ansible, and disks
    "python3 python3-apt fdisk e2fsprogs xfsprogs",
)
#: Documentation is half of the files; nobody reads it in a sandbox.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
#: Units that cost seconds of an emulated processor at every boot, and what does their work instead, if anything.
MASKED_UNITS = (
    # nobody waits for the night, or sits at the console
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer"
    " getty@tty1.service serial-getty@ttyS0.service systemd-pstore.service systemd-binfmt.service"
    " systemd-update-utmp.service systemd-update-utmp-runlevel.service sys-kernel-config.mount sys-fs-fuse-connections.mount"
    " sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount proc-sys-fs-binfmt_misc.automount"
    # settled by guest/init
    " systemd-remount-fs.service systemd-fsck-root.service systemd-modules-load.service kmod-static-nodes.service"
    " systemd-random-seed.service systemd-repart.service systemd-sysusers.service systemd-tmpfiles-setup-dev.service"
    " systemd-user-sessions.service"
    # guest/first-boot and guest/power-button
    " cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service cloud-init-hotplugd.socket"
    " systemd-logind.service"
)
#: The same for programs that systemd runs before it reads the units.
MASKED_GENERATORS = (
    "cloud-init-generator systemd-cryptsetup-generator systemd-debug-generator systemd-getty-generator"
    " systemd-gpt-auto-generator systemd-hibernate-resume-generator systemd-integritysetup-generator"
    " systemd-rc-local-generator systemd-run-generator systemd-system-update-generator systemd-veritysetup-generator"
)
#: Only what disks, interfaces and buttons need is told to udev again at boot, not each of two hundred kernel objects.
UDEV_TRIGGER = "udevadm trigger --type=devices --action=add --subsystem-match=block --subsystem-match=net --subsystem-match=input"
UNREACHABLE = re.compile(r"could not resolve|failed to fetch|unable to connect|could not connect|no address", re.I)
#: The host as a machine sees it over the user network; guest/init gives it the name.
HOST_NAME = "host.sandbox"


@dataclass(frozen=True)
class Recipe:
    """What of the host goes into the image: where packages come from, and whom it trusts."""

    sources: Tuple[Tuple[str, str], ...]
    proxy: str
    certificates: Tuple[str, ...]

    @property
    def mirrors(self) -> str:
        """The mirrors, for people."""
        return " ".join(dict.fromkeys(uri for uri, _ in self.sources)) or "Debian's own mirror"


class Runner:
    """Runs the tools of the build into one log, and turns their failures into clear errors."""

    def __init__(self, log: Path, disk: Path) -> None:
        self.log = log
        self.disk = disk
        log.write_text("")

    def __call__(self, argv: Sequence[str], *, stdin: str = "", heard: Callable[[str], None] = lambda _: None) -> None:
        """Run `argv`; each line it says goes to the log and to `heard`."""
        # INITRD: a kernel that the host starts needs none of Debian's, which takes long to make
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "INITRD": "No"}
        pipes: Dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with self.log.open("a") as log, subprocess.Popen(argv, env=environment, text=True, errors="replace", **pipes) as process:
            if process.stdin and process.stdout:
                process.stdin.write(stdin)
                process.stdin.close()
                for line in process.stdout:
                    log.write(line)
                    heard(line.rstrip())
        if process.returncode:
            raise ImageError(self._why(argv[0], process.returncode))

    def _why(self, tool: str, code: int) -> str:
        tail = self.log.read_text().strip().splitlines()[-200:]
        if shutil.disk_usage(self.disk).free < 64 << 20 or any("No space left" in line for line in tail):
            return f"the disk is full: {self.disk} has no room for the image. Free 3 GiB and run it again."
        errors = [line for line in tail if UNREACHABLE.search(line)]
        if errors:
            return f"the Debian packages cannot be reached: {errors[0].strip()}. Check the network, DNS and the proxy of apt."
        last = "\n  ".join(tail[-5:])
        return f"{tool} ended with exit code {code}; the whole log is {self.log}. Its end:\n  {last}"


def which(tool: str) -> Optional[str]:
    """Where a tool is, also when the sbin directories are not in the PATH of a user."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def host_packages() -> List[str]:
    """The Debian packages that the sandbox needs on the host."""
    lines = (Path(__file__).parent / "packages.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def host_recipe() -> Recipe:
    """What the apt of this host uses for Debian 12; where it is another system, mmdebstrap knows Debian's own mirror."""
    targets = _output(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"])
    local = Path("/usr/local/share/ca-certificates")
    return Recipe(
        sources=parse_sources(targets),
        proxy=_output(["apt-config", "shell", "P", "Acquire::http::Proxy"]).partition("=")[2].strip().strip("'"),
        certificates=tuple(path.read_text() for path in sorted(local.glob("*.crt"))),
    )


def parse_sources(targets: str) -> Tuple[Tuple[str, str], ...]:
    """The (address, suite) pairs of Debian 12 in what `apt-get indextargets` printed; none unless the main suite is."""
    found: List[Tuple[str, str]] = []
    for line in targets.splitlines():
        uri, suite, component = (line.split() + ["", "", ""])[:3]
        ours = suite in (SUITE, f"{SUITE}-updates", f"{SUITE}-security") and component == "main"
        if ours and uri.startswith(("http://", "https://")) and (uri.rstrip("/"), suite) not in found:
            found.append((uri.rstrip("/"), suite))
    return tuple(found) if any(suite == SUITE for _, suite in found) else ()


def _output(argv: Sequence[str]) -> str:
    """What a command prints; nothing when it is not there or fails (a host without apt)."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def install(tree: Path, recipe: Recipe, run: Runner, progress: Callable[[str], None]) -> None:
    """Unpack and configure the packages into `tree`."""
    sources = "".join(f"deb [signed-by={KEYRING}] {uri} {suite} main\n" for uri, suite in recipe.sources)
    options = ["--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(' '.join(PACKAGES).split())}"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    options += ["--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"', "--aptopt=Acquire::Retries 3"]
    if recipe.proxy:
        options.append(f'--aptopt=Acquire::http::Proxy "{recipe.proxy}"')
    # the lists stay, so that the first `apt-get install` in a machine need not fetch and parse them
    options.append("--skip=cleanup/apt/lists,cleanup/apt/cache")

    def heard(line: str) -> None:
        if line.startswith("I: "):
            progress(f"image: {line[3:]}")

    mirrors = ["-"] if sources else []
    run([which("mmdebstrap") or "mmdebstrap", *options, SUITE, str(tree), *mirrors], stdin=sources, heard=heard)


def kernel_release(tree: Path) -> str:
    """The release of the newest kernel in `tree`."""
    releases = sorted((tree / "lib/modules").iterdir(), key=lambda path: path.stat().st_mtime)
    return releases[-1].name


def configure(tree: Path, recipe: Recipe, run: Runner, guest: Path) -> None:
    """Make the Debian system in `tree` an image for sandbox machines."""
    _write_files(tree, recipe)
    for path in guest.iterdir():
        folder = "etc/systemd/system" if path.suffix == ".service" else "usr/local/libexec/sandbox"
        _write(tree, f"{folder}/{path.name}", path.read_text(), 0o644 if path.suffix == ".service" else 0o755)
    for number, certificate in enumerate(recipe.certificates):
        _write(tree, f"usr/local/share/ca-certificates/host-{number}.crt", certificate)
    for unit in MASKED_UNITS.split():
        _link(tree, f"etc/systemd/system/{unit}", "/dev/null")
    for generator in MASKED_GENERATORS.split():
        _link(tree, f"etc/systemd/system-generators/{generator}", "/dev/null")
    # the message bus starts with its first caller; here a machine may never have one
    _link(tree, "etc/systemd/system/multi-user.target.wants/dbus.service", "/dev/null")
    _link(tree, "etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target")
    chroot = ["chroot", str(tree)]
    run([*chroot, "useradd", "--create-home", "--uid", "1000", "--shell", "/bin/bash", "--groups", "adm,sudo", "admin"])
    run([*chroot, "systemctl", "enable", *sorted(path.name for path in guest.glob("*.service"))])
    run([*chroot, "systemctl", "disable", "systemd-timesyncd.service", "systemd-networkd.service"])
    if recipe.certificates:
        run([*chroot, "update-ca-certificates"])
    run([*chroot, "apt-cache", "gencaches"])
    for pattern in ("etc/ssh/ssh_host_*", "etc/update-motd.d/*", "boot/initrd.img*", "var/cache/apt/archives/*.deb"):
        for path in tree.glob(pattern):
            path.unlink()


def _write_files(tree: Path, recipe: Recipe) -> None:
    """The configuration files that differ from those of the packages."""
    _write(tree, "etc/fstab", "LABEL=root / ext4 rw,discard,errors=remount-ro 0 1\n")
    _write(tree, "etc/hostname", "localhost\n")
    _write(tree, "etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
    _write(tree, "etc/machine-id", "")
    _write(tree, "etc/sudoers.d/90-cloud-init-users", "admin ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    _write(
        tree,
        "etc/ssh/sshd_config.d/50-sandbox.conf",
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\nUseDNS no\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\n"
        # the post-quantum exchange takes half a second of an emulated processor
        "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group14-sha256\n",
    )
    _write(
        tree,
        "etc/cloud/cloud.cfg.d/99-sandbox.cfg",
        "datasource_list: [NoCloud]\nnetwork: {config: disabled}\npreserve_hostname: true\nssh_deletekeys: false\n"
        "ssh_genkeytypes: []\napt: {preserve_sources_list: true}\nlocale: false\n"
        "system_info: {default_user: {name: admin}}\n",
    )
    _write(tree, "etc/tmpfiles.d/systemd-nologin.conf", "# no log-in is refused at boot: ssh starts when all is ready\n")
    _write(tree, "etc/systemd/system/ssh.service.d/sandbox.conf", "[Service]\nExecStartPre=\n")
    _write(
        tree,
        "etc/systemd/system/systemd-udev-trigger.service.d/sandbox.conf",
        f"[Service]\nExecStart=\nExecStart={UDEV_TRIGGER}\n",
    )
    # on a computer with too much to do, a service that takes minutes to start is not one that failed
    _write(tree, "etc/systemd/system.conf.d/sandbox.conf", "[Manager]\nDefaultTimeoutStartSec=600s\n")
    _write(tree, "etc/systemd/journald.conf.d/sandbox.conf", "[Journal]\nStorage=persistent\nSystemMaxUse=32M\n")
    apt = 'Acquire::Languages "none";\nAcquire::ForceIPv4 "true";\n'
    if recipe.proxy:
        proxy = re.sub(r"//(localhost|127\.[0-9.]+)", f"//{HOST_NAME}", recipe.proxy)
        apt += f'Acquire::http::Proxy "{proxy}";\n'
    _write(tree, "etc/apt/apt.conf.d/90sandbox", apt)
    excluded = "".join(f"path-exclude={pattern}\n" for pattern in EXCLUDED)
    _write(tree, "etc/dpkg/dpkg.cfg.d/sandbox", f"force-unsafe-io\n{excluded}")


def _write(tree: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _link(tree: Path, name: str, target: str) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)

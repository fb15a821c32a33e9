# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One QEMU process in a directory of its own. It knows disks, ports and power, and nothing of EC2."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from sandbox import disks, qemu
from sandbox.qemu import Attachment, MachineSpec
from sandbox.qmp import Qmp
from sandbox.trouble import MachineError, QmpError, SandboxError

__all__ = ["Attachment", "Exit", "Machine", "MachineSpec"]

#: How long QEMU itself may take to come up; the guest is not waited for.
LAUNCH_TIMEOUT = 30.0
#: A guest that is still starting, or busy, does not hear a request: it is repeated this often.
REPEAT = 3.0


@dataclass(frozen=True)
class Exit:
    """How a machine ended."""

    #: "asked" by shutdown or kill, "guest" when it powered itself off, "crash" otherwise
    kind: str
    reason: str


class Machine:
    """A machine. Start and stop it as often as you like: volumes and forwarded ports come back with it.

    Threads may share it. `on_exit` is called from a thread of the machine, once per end, whoever caused it.
    """

    def __init__(
        self,
        directory: Path,
        spec: MachineSpec,
        *,
        accelerator: str = "tcg",
        on_exit: Optional[Callable[["Machine"], None]] = None,
    ) -> None:
        self.directory = directory
        self.spec = spec
        self.console = directory / "console.log"
        self.last_exit: Optional[Exit] = None
        self._accelerator = accelerator
        self._on_exit = on_exit
        self._lock = threading.RLock()
        self._attachments: Dict[str, Attachment] = {}
        #: taken by force from a guest that has not let go yet: its devices are still there, with nothing behind them
        self._taken: Dict[str, Attachment] = {}
        self._forwards: Dict[Tuple[str, int], int] = {}
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._qmp: Optional[Qmp] = None
        self._ended = threading.Event()
        self._ended.set()
        self._asked = False
        self._started = False
        self._pauses = 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return not self._ended.is_set()

    @property
    def pid(self) -> int:
        """The process; 0 when it does not run."""
        return self._process.pid if self.alive and self._process else 0

    @property
    def exit_reason(self) -> str:
        """Why it ended last, with what it said last; empty before."""
        return self.last_exit.reason if self.last_exit else ""

    @property
    def attachments(self) -> Tuple[Attachment, ...]:
        """The volumes that are plugged in, or will be at the next start."""
        return tuple(self._attachments.values())

    def last_words(self) -> str:
        """The last words of QEMU and of the guest."""
        words: List[str] = []
        for path in (self.directory / "qemu.log", self.console):
            try:
                lines = path.read_text(errors="replace").strip().splitlines()[-8:]
            except OSError:
                continue
            if lines:
                words += [f"{path}:", *(f"  {line}" for line in lines)]
        return "\n".join(words)

    # --- power

    def start(self) -> None:
        """Start the process; returns when QEMU runs, long before the guest answers."""
        with self._lock:
            if self.alive:
                return
            self._write_seed()
            ours, theirs = socket.socketpair()
            argv = qemu.qemu_argv(self.spec, self.directory, self._accelerator, theirs.fileno(), self.attachments)
            self._asked = self._started = False
            self._taken.clear()
            self._ended.clear()
            launched = threading.Event()
            threading.Thread(target=self._live, args=(argv, theirs, launched), name=self.spec.instance_id, daemon=True).start()
            launched.wait()
            try:
                self._qmp = Qmp(ours, timeout=LAUNCH_TIMEOUT)
                for (address, port), guest_port in self._forwards.items():
                    self._add_forward(address, port, guest_port)
            except SandboxError as error:
                self._kill()
                raise MachineError(f"{self.spec.instance_id} did not start: {error}\n{self.last_words()}") from error
            self._started = True

    def shutdown(self, timeout: float = 60) -> None:
        """Press the power button; a guest that has not powered off after `timeout` seconds loses its power."""
        self._asked = True
        deadline = time.monotonic() + timeout
        while self.alive and time.monotonic() < deadline:
            try:
                self._execute("system_powerdown")
            except (QmpError, MachineError):
                pass  # it is just ending
            self._ended.wait(min(REPEAT, max(deadline - time.monotonic(), 0)))
        self.kill()

    def kill(self) -> None:
        """Take the power away."""
        self._asked = True
        if self.alive and self._qmp:
            try:
                self._qmp.execute("quit")
                self._ended.wait(5)
            except QmpError:
                pass
        self._kill()

    def reboot(self, timeout: float = 60) -> None:
        """Have the guest shut down and start again in the same process; after `timeout` seconds without its help."""
        qmp = self._running()
        # the guest powers off, and QEMU, instead of ending, waits to be switched on again
        qmp.execute("set-action", shutdown="pause")
        try:
            with qmp.listen("SHUTDOWN") as events:
                deadline = time.monotonic() + timeout
                while time.monotonic() < deadline:
                    qmp.execute("system_powerdown")
                    if events.wait(REPEAT):
                        break
            qmp.execute("system_reset")
        finally:
            qmp.execute("set-action", shutdown="poweroff")
        if not self._pauses:
            qmp.execute("cont")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the processors and settle the disks, so that copies made in the block are all of one moment."""
        with self._lock:
            if self.alive:
                self._pauses += 1
                self._execute("stop")
            try:
                yield
            finally:
                if self._pauses:
                    self._pauses -= 1
                    if not self._pauses and self.alive:
                        self._execute("cont")

    # --- volumes

    def attach(
        self,
        volume_id: str,
        path: Path,
        *,
        bus: str = "virtio",
        logical_block_size: int = 512,
        read_only: bool = False,
    ) -> None:
        """Plug a volume in, now or at the next start."""
        with self._lock:
            if volume_id in self._attachments or volume_id == self.spec.root_id:
                raise MachineError(f"{volume_id} is already attached to {self.spec.instance_id}")
            self._forget_taken()
            attachment = Attachment(volume_id, path, self._free_port(), bus, logical_block_size, read_only)
            device = qemu.volume_device(attachment)
            if self.alive:
                self._execute("blockdev-add", **qemu.volume_node(attachment))
                try:
                    self._execute("device_add", **device)
                except QmpError:
                    self._execute("blockdev-del", node_name=qemu.node_name(volume_id))
                    raise
            self._attachments[volume_id] = attachment

    def detach(self, volume_id: str, timeout: float = 60, *, force: bool = False) -> None:
        """Unplug a volume. A guest that has not let go of it after `timeout` seconds keeps it, and that raises; or loses it by `force`."""
        if volume_id not in self._attachments:
            raise MachineError(f"{volume_id} is not attached to {self.spec.instance_id}")
        if self.alive and not self._unplug(volume_id, timeout):
            if not force:
                raise MachineError(
                    f"{self.spec.instance_id} did not let go of {volume_id} in {timeout:g} s; it is still attached."
                    " Is the machine up, and the volume unmounted?"
                )
            self._take(volume_id)
        with self._lock:
            self._attachments.pop(volume_id, None)

    def resize(self, volume_id: str, size_bytes: int) -> None:
        """Make a volume, or the root disk, larger; a running guest sees it at once."""
        root = volume_id == self.spec.root_id
        if not root and volume_id not in self._attachments:
            raise MachineError(f"{volume_id} is not attached to {self.spec.instance_id}")
        path = self.spec.root if root else self._attachments[volume_id].path
        disks.refuse_shrinking(path, size_bytes)
        if not self.alive:
            disks.grow(path, size_bytes)
            return
        if not root and self._attachments[volume_id].bus == "nvme":
            raise MachineError(f"{volume_id} is attached as nvme, which QEMU cannot resize. Detach it, grow it, attach it.")
        self._execute("block_resize", node_name=qemu.node_name(volume_id), size=size_bytes)

    # --- ports

    def forward(self, address: str, port: int, guest_port: int) -> None:
        """Let `address:port` of the host answer as `guest_port` of the guest, now and after each start."""
        with self._lock:
            if self._forwards.get((address, port)) == guest_port:
                return
            if (address, port) in self._forwards:
                self.unforward(address, port)
            if self.alive:
                self._add_forward(address, port, guest_port)
            self._forwards[address, port] = guest_port

    def unforward(self, address: str, port: int) -> None:
        """Let `address:port` answer no longer."""
        with self._lock:
            if self._forwards.pop((address, port), None) is not None and self.alive:
                self._human(f"hostfwd_remove net0 tcp:{address}:{port}")

    # --- inside

    def _running(self) -> Qmp:
        if not self.alive or not self._qmp:
            raise MachineError(f"{self.spec.instance_id} is not running. {self.exit_reason}".strip())
        return self._qmp

    def _execute(self, command: str, **arguments: Any) -> Any:
        return self._running().execute(command, **arguments)

    def _human(self, line: str) -> str:
        """A command that QMP lacks; its answer is empty when it worked."""
        return str(self._execute("human-monitor-command", command_line=line)).strip()

    def _add_forward(self, address: str, port: int, guest_port: int) -> None:
        answer = self._human(f"hostfwd_add net0 tcp:{address}:{port}-:{guest_port}")
        if answer:
            raise MachineError(
                f"{address}:{port} cannot be opened for {self.spec.instance_id}; does another program listen there? {answer}"
            )

    def _free_port(self) -> int:
        used = {attachment.port for attachment in [*self._attachments.values(), *self._taken.values()]}
        for port in range(qemu.PORTS):
            if port not in used:
                return port
        raise MachineError(f"{self.spec.instance_id} has {qemu.PORTS} volumes attached and room for no more")

    def _unplug(self, volume_id: str, timeout: float) -> bool:
        """Whether the guest let go of a volume within `timeout` seconds; its file is closed then."""
        device = qemu.device_id(volume_id)
        qmp = self._running()
        deadline = time.monotonic() + timeout
        with qmp.listen("DEVICE_DELETED") as events:
            while True:
                try:
                    qmp.execute("device_del", id=device)
                except QmpError as error:
                    if "not found" in str(error):  # an earlier request was heard late
                        break
                    if "in the process of unplug" not in str(error):
                        raise
                patience = min(REPEAT, deadline - time.monotonic())
                if events.wait(patience, lambda data: data.get("device") == device):
                    break
                if time.monotonic() >= deadline:
                    return False
        self._forget_disk(qmp, qemu.node_name(volume_id))
        return True

    def _take(self, volume_id: str) -> None:
        """Close the file of a volume that the guest holds on to: from here on it reads and writes nothing but errors."""
        with self._lock:
            qmp, attachment = self._running(), self._attachments[volume_id]
            nothing = qemu.nothing_node(volume_id, disks.virtual_size(attachment.path))
            qmp.execute("blockdev-add", **nothing)
            device = f"/machine/peripheral/{qemu.device_id(volume_id)}"
            qmp.execute("qom-set", path=device, property="drive", value=nothing["node-name"])
            self._taken[volume_id] = attachment
            self._forget_disk(qmp, qemu.node_name(volume_id))

    def _forget_taken(self) -> None:
        """Give the places of volumes that were taken by force free, once the guest has let go of them too."""
        if not self.alive or not self._taken:
            return
        present = {one["name"] for one in self._execute("qom-list", path="/machine/peripheral")}
        for volume_id in [one for one in self._taken if qemu.device_id(one) not in present]:
            self._forget_disk(self._running(), qemu.nothing_name(volume_id))
            del self._taken[volume_id]

    def _forget_disk(self, qmp: Qmp, node: str) -> None:
        """Close the block node of a volume that is no longer plugged in; QEMU settles the last requests of nvme after it said so."""
        deadline = time.monotonic() + LAUNCH_TIMEOUT
        while True:
            try:
                qmp.execute("blockdev-del", node_name=node)
                return
            except QmpError as error:
                if "in use" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _live(self, argv: List[str], qmp_side: socket.socket, launched: threading.Event) -> None:
        """Start the process and stay with it. The kernel ends it when this thread does, so no machine is left behind."""
        with (self.directory / "qemu.log").open("ab") as log, qmp_side:
            files: Dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            try:
                process = subprocess.Popen(argv, pass_fds=[qmp_side.fileno()], start_new_session=True, **files)
            except OSError as error:
                log.write(f"{argv[0]}: {error.strerror}\n".encode())
                self._ended.set()
                launched.set()
                return
        self._process = process
        launched.set()
        code = process.wait()
        self.last_exit = self._describe(code)
        self._ended.set()
        if self._on_exit and self._started:
            self._on_exit(self)

    def _describe(self, code: int) -> Exit:
        name = self.spec.instance_id
        if self._asked:
            return Exit("asked", f"{name} was stopped")
        if code == 0:
            return Exit("guest", f"{name} powered itself off")
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Exit("crash", f"the machine {name} died ({how})\n{self.last_words()}")

    def _kill(self) -> None:
        if self.alive and self._process:
            self._process.kill()
        self._ended.wait(10)

    def _write_seed(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = self.directory / "ssh_host_ed25519_key"
        if not key.exists():
            comment = f"root@{self.spec.hostname}"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)], check=True)
        public = key.with_name(f"{key.name}.pub").read_text()
        archive = self.directory / "seed.tar"
        archive.touch(mode=0o600)
        archive.write_bytes(qemu.seed(self.spec, key.read_text(), public))


if __name__ == "__main__":
    from sandbox.single import main

    main()

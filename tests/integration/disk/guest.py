# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs inside the test machine: the disk target without Ansible, many cases in one go, and killed where a test says so.

Usage: guest.py serve; calls come in and answers go out as lines of JSON. Each call is a process of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import traceback
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cuts
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import info
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.apply import Runner
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.devices import find
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.freeze_target import FreezeTarget
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import Desired
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.target import DiskTarget, report
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import SteadfastError
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import Plan, Step
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile

#: What a run that was killed was about to do.
NEXT_STEP = Path("/run/next-step")


class Quick(DiskTarget):
    """Leaves out daemon-reload, where dozens of runs would each wait for it; other tests do it for real."""

    #: How many steps are done before it dies without a word; negative: all.
    steps = -1

    def apply(self, plan: Plan, actual: Any) -> None:
        """Run the steps, counting."""
        _Counting(self.machine, actual.disk, self.desired.timeout, self.steps).run(plan)


class _Counting(Runner):
    left: list[int]

    def __init__(self, machine: Machine, disk: Any, timeout: float, left: int) -> None:
        super().__init__(machine, disk, timeout)
        object.__setattr__(self, "left", [left])  # a Runner is frozen

    def daemon_reload(self) -> None:
        """Left out."""

    def one(self, step: Step) -> None:
        if self.left[0] == 0:
            NEXT_STEP.write_text(step.verb)
            os.kill(os.getpid(), signal.SIGKILL)
        self.left[0] -= 1
        super().one(step)


def outcome(desired: Desired, kind: type[DiskTarget] = DiskTarget, check_mode: bool = False) -> dict[str, Any]:
    """The result of one run: what a task would return, or the error as data."""
    try:
        done = reconcile(kind(desired, Machine()), check_mode)
    except SteadfastError as error:
        return {"error": error.to_dict(), "msg": error.message}
    return {**json.loads(json.dumps(done.plan.to_result(), default=str)), "disk": report(desired, done.actual)}


def runs(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Real runs of many declarations."""
    return [outcome(Desired(**case)) for case in cases]


def foretold(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same in check mode."""
    return [outcome(Desired(**case), check_mode=True) for case in cases]


def four_ways(case: dict[str, Any]) -> list[dict[str, Any]]:
    """A declaration checked, applied, applied again and checked again."""
    return [outcome(Desired(**case), check_mode=checked) for checked in (True, False, False, True)]


def device(volume: str) -> str:
    """The node of a volume."""
    return f"/dev/{find(Machine(), Desired(volume=volume))}"


def prepared(volume: str, commands: str) -> None:
    """A disk of zeros, then the commands, in which $d is the disk; the kernel knows its partitions."""
    disk = device(volume)
    with open(disk, "r+b") as file:
        # the host does it: writing as many zeros keeps an emulated processor busy
        fcntl.ioctl(file, cuts.BLKZEROOUT, struct.pack("QQ", 0, file.seek(0, os.SEEK_END)))
    shell(f"d={disk}; blockdev --rereadpt $d; {commands}\nsync; udevadm settle; blockdev --rereadpt $d || true; udevadm settle")


def digest(volume: str) -> int:
    """A checksum over the whole of a volume, read from the disk and not from memory; a simple one, as the machine is slow."""
    shell(f"sync; blockdev --flushbufs {device(volume)}")
    return zlib.crc32(Path(device(volume)).read_bytes())


def refused(case: dict[str, Any]) -> dict[str, Any]:
    """For each starting state: what a run says, and whether the disk is the same to the byte."""
    answers = {}
    for name, commands in case["states"].items():
        prepared(case["volume"], commands)
        before = digest(case["volume"])
        answer = outcome(Desired(volume=case["volume"], path=case["path"]))
        answers[name] = {"msg": answer.get("msg", "it was done"), "untouched": digest(case["volume"]) == before}
    prepared(case["volume"], "")
    return answers


def adopted(case: dict[str, Any]) -> dict[str, Any]:
    """For each starting state: two runs, and what is mounted."""
    answers = {}
    for name, commands in case["states"].items():
        prepared(case["volume"], commands)
        desired = Desired(volume=case["volume"], path=case["path"])
        changed = [outcome(desired, Quick).get("changed") for _ in range(2)]
        found = Path(case["path"], "file")
        answers[name] = {"changed": changed, "kept": found.read_text() if found.exists() else None}
        outcome(replace(desired, state="absent"), Quick)
    prepared(case["volume"], "")
    return answers


def shell(text: str) -> None:
    """A few commands, which must work."""
    subprocess.run(["bash", "-ec", text], check=True, stdout=subprocess.DEVNULL)


def tree(path: str) -> str:
    """A digest over names, owners, modes, times, links and content of a directory."""
    lines = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name != "lost+found"]
        for name in sorted([*folders, *files]):
            entry = Path(folder, name)
            found = entry.lstat()
            content = (
                entry.read_bytes()
                if entry.is_file() and not entry.is_symlink()
                else os.fsencode(os.readlink(entry))
                if entry.is_symlink()
                else b""
            )
            fact = (
                str(entry.relative_to(path)),
                found.st_mode,
                found.st_uid,
                found.st_gid,
                found.st_mtime_ns,
                found.st_nlink if entry.is_file() else 0,
            )
            lines.append(f"{fact} {hashlib.sha256(content).hexdigest()}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def fill(path: str) -> None:
    """Content with everything that a careless copy loses."""
    shell(
        f"""mkdir -p {path}/sub/deep '{path}/with blank'; cd {path}
        echo one >one; ln one sub/hardlink; ln -s ../one sub/link; head -c 300000 /dev/urandom >'with blank/random'
        truncate -s 1M sparse; printf x >>sparse; mkfifo fifo; touch -d 2001-02-03 one; chown 33:33 sub one; chmod 2750 sub
        setfattr -n user.note -v hello one 2>/dev/null || python3 -c "import os; os.setxattr('one', 'user.note', b'hello')" """
    )


def killed(desired: Desired, steps: int) -> str:
    """A run that is killed after so many steps; the step that it was about to take, "" where it came to its end."""
    NEXT_STEP.write_text("")
    child = os.fork()
    if child == 0:
        target = Quick(desired, Machine())
        target.steps = steps
        reconcile(target, False)
        os._exit(0)
    os.waitpid(child, 0)
    return NEXT_STEP.read_text()


def killed_move(case: dict[str, Any]) -> dict[str, Any]:
    """A move that is killed after so many steps, again and again, then run to its end; what was there before and after."""
    path, volume = case["path"], case["volume"]
    desired = Desired(volume=volume, path=path, content="move", timeout=20)
    shutil.rmtree(path, ignore_errors=True)
    fill(path)
    wanted = tree(path)
    before = [killed(desired, steps) for steps in case["steps"]]
    if case.get("torn"):
        shell(f"cd $(findmnt -rno TARGET | grep ^/run/steadfast-disk/); {case['torn']}")
    result = outcome(desired, Quick)
    old = sorted(str(entry) for entry in Path(path).parent.glob(f"{Path(path).name}.before-*"))
    aside = Path("/run/steadfast-disk")
    answer = {
        "before": before,
        "result": result,
        "changed_again": outcome(desired, Quick).get("changed"),
        "same": [tree(place) == wanted for place in (path, *old)],
        "is_mount": os.path.ismount(path),
        "marks": sorted(name for name in os.listdir(path) if name.startswith(".steadfast")),
        "aside": [name for name in os.listdir(aside) if os.path.ismount(aside / name)],
        "lines": Path("/etc/fstab").read_text().count(path),
    }
    outcome(replace(desired, state="absent"), Quick)
    shell(f"rm -rf {path} {' '.join(old)}")
    prepared(volume, "")
    return answer


def killed_moves(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Many of them."""
    return [killed_move(case) for case in cases]


def cut_short(cases: list[dict[str, Any]]) -> list[str]:
    """Runs that are killed after so many steps, each with its volume; digests of what was at the mount points before. Nothing is synced."""
    for case in cases:
        shutil.rmtree(case["path"], ignore_errors=True)
        if case.get("move"):
            fill(case["path"])
    shell("sync")
    digests = [tree(case["path"]) for case in cases]
    for case in cases:
        killed(_declared(case), case["steps"])
    return digests


def _declared(case: dict[str, Any]) -> Desired:
    return Desired(volume=case["volume"], path=case["path"], content="move" if case.get("move") else "refuse", timeout=30)


def finished(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The next run of each, and the one after; then they are let go of."""
    answers = []
    for case in cases:
        desired = _declared(case)
        first, second = outcome(desired, Quick), outcome(desired, Quick)
        old = sorted(str(entry) for entry in Path(case["path"]).parent.glob(f"{Path(case['path']).name}.before-*"))
        answers.append(
            {
                "error": first.get("msg"),
                "again": second.get("changed"),
                "trees": [tree(place) for place in (case["path"], *old)],
                "is_mount": os.path.ismount(case["path"]),
                "marks": sorted(name for name in os.listdir(case["path"]) if name.startswith(".steadfast")),
                "lines": Path("/etc/fstab").read_text().count(f" {case['path']} "),
            }
        )
        outcome(replace(desired, state="absent"), Quick)
        shell(f"rm -rf {case['path']} {' '.join(old)}")
    return answers


def power_cuts(case: dict[str, Any]) -> dict[str, Any]:
    """A move to a blank volume, and for each moment in which the power may go: what the next run makes of it."""
    home, volume = cuts.Disk(device(case["home"])), cuts.Disk(device(case["volume"]))
    desired = Desired(volume=case["volume"], path=cuts.SITE, content="move", keep_old=case["keep_old"], timeout=20)
    recorder = cuts.Recorder(home, volume, tuple(case["early"]))
    prepared(case["volume"], "")
    wrong = {}
    with cuts.own_disk(home, fill, shell) as table:
        wanted = {"error": None, "again": [], "trees": [tree(cuts.SITE)] * (2 if case["keep_old"] else 1)}
        wanted |= {"is_mount": True, "names": [], "lines": 1, "foreign": True}
        cuts.recorded(desired, Quick, recorder)
        for number, (moment, *disks) in enumerate(recorder.cuts):
            cuts.booted(recorder, *disks)
            found = _after_a_cut(desired, table)
            if found != wanted:
                wrong[f"{number}: {moment}"] = found
        cuts.off(volume, home)
    prepared(case["volume"], "")
    prepared(case["home"], "")
    return {"cuts": [moment for moment, *_disks in recorder.cuts], "wrong": wrong, "wanted": wanted}


def _after_a_cut(desired: Desired, table: bytes) -> dict[str, Any]:
    first, again = outcome(desired, Quick), outcome(desired, Quick, check_mode=True)
    old = sorted(str(entry) for entry in Path(cuts.HOME).glob("site.before-*"))
    lines = Path("/etc/fstab").read_text().splitlines()
    own = [line for line in lines if f" {cuts.SITE} " in line]
    return {
        "error": first.get("msg"),
        "again": again.get("plan"),
        "trees": [tree(place) for place in (cuts.SITE, *old)],
        "is_mount": os.path.ismount(cuts.SITE),
        "names": sorted(name for name in [*os.listdir(cuts.SITE), *os.listdir(cuts.HOME)] if ".steadfast" in name),
        "lines": len(own),
        "foreign": [line for line in lines if line not in own] == table.decode().splitlines(),
    }


def erased(case: dict[str, Any]) -> dict[str, Any]:
    """For each starting state: what a run says that names nothing, half of it, and all of it; and what is there then."""
    answers = {}
    for name, (commands, names) in case["states"].items():
        prepared(case["volume"], commands)
        desired = Desired(volume=case["volume"], path=case["path"])
        before = digest(case["volume"])
        refused = [outcome(desired).get("msg", "it was done")]
        if len(names) > 1:
            refused.append(outcome(replace(desired, erase=tuple(names[:1]))).get("msg", "it was done"))
        untouched = digest(case["volume"]) == before
        done = replace(desired, erase=tuple(names))
        changed = [outcome(done, Quick).get("changed") for _ in range(2)]
        answers[name] = {"refused": refused, "untouched": untouched, "changed": changed, "is_mount": os.path.ismount(case["path"])}
        outcome(replace(desired, state="absent"), Quick)
    prepared(case["volume"], "")
    return answers


def full(case: dict[str, Any]) -> dict[str, Any]:
    """A run where /etc/fstab lies on a filesystem that is full: what it says, and whether fstab is whole and without a draft."""
    shell("mkdir -p /mnt/small; mount -t tmpfs -o size=8k,nr_inodes=8 tmpfs /mnt/small; mv /etc/fstab /mnt/small/fstab")
    shell("ln -s /mnt/small/fstab /etc/fstab; head -c 4096 /dev/zero >/mnt/small/full 2>/dev/null || true")
    before = Path("/etc/fstab").read_bytes()
    answer = outcome(Desired(**case))
    same = Path("/etc/fstab").read_bytes() == before
    drafts = sorted(name for name in os.listdir("/mnt/small") if name not in ("fstab", "full"))
    shell("rm /etc/fstab; cp -p /mnt/small/fstab /etc/fstab; umount /mnt/small")
    return {"msg": answer.get("msg", "it was done"), "same": same, "drafts": drafts}


def frozen_by_the_dead(case: dict[str, Any]) -> dict[str, Any]:
    """A run that freezes and is killed: whether a file can be written all the same, and what thawing twice says."""
    child = os.fork()
    if child == 0:
        reconcile(FreezeTarget([case["path"]], "frozen", 2, Machine()), False)
        os.kill(os.getpid(), signal.SIGKILL)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    Path(case["path"], "after").write_text("after")
    said: list[str | None] = []
    for _ in range(2):
        try:
            reconcile(FreezeTarget([case["path"]], "thawed", 60, Machine()), False)
            said.append(None)
        except SteadfastError as error:
            said.append(error.code)
    return {"killed": killed, "written": Path(case["path"], "after").read_text() == "after", "msg": said}


def shown(names: dict[str, str]) -> dict[str, Any]:
    """What disk_info shows."""
    return info.look(Machine(), names, True)


def bash(text: str) -> tuple[int, str, str]:
    """Any commands: exit code, output, errors."""
    done = subprocess.run(["bash", "-c", text], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def serve() -> None:
    """Answer one call after the other, until nobody is there any more."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what programs say is no answer
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _answered(answers, *json.loads(line))
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            os.write(answers, b'{"error": "it was killed"}\n')


def _answered(answers: int, function: str, argument: Any) -> None:
    try:
        said = {"answer": globals()[function](argument)}
    except BaseException:  # a test wants to see it, whatever it is
        said = {"error": traceback.format_exc()}
    data = json.dumps(said).encode() + b"\n"
    while data:
        data = data[os.write(answers, data) :]


if __name__ == "__main__":
    serve()

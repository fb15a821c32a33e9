# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drift check that runs in the machine by its own timer, as the role `drift_check` installs it, and tells a webhook out here.

The role, the units, the timer, `scripts/drift` with its state, and the way to the webhook are real. Two things are not. Ansible is not
installed but copied, and only the part of it that sends messages, as a machine of the sandbox has no package index. And
ansible-playbook, a run of which takes an emulated processor more than a minute, plays back what the real one recorded out here,
with drift or without, depending on the file that is checked.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ansible

from tests.support.drift import Checks, setting_task

from .story import ROOT, Story

NAME = "monitor"
UNIT = f"steadfast-drift-{NAME}"
STATE = f"/var/lib/steadfast-drift/{NAME}"
PROJECT, VENV = "/srv/check", "/opt/ansible"
COLLECTION = "/usr/share/ansible/collections/ansible_collections/steadfast/ec2"
#: The file that is checked, and the one that makes the next write of the state the last thing that the command does.
CHECKED, CRASH = f"{PROJECT}/checked", f"{PROJECT}/crash"
#: What sends messages, of Ansible.
PARTS = ("__init__.py", "release.py", "_vendor", "module_utils")
#: More often than a check can run in a machine: the next one begins as soon as the one before it has ended.
SCHEDULE = "*-*-* *:*:0/5"
#: In the place of ansible-playbook.
_PLAYBACK = f"""#!{VENV}/bin/python -S
import json, os, time
from pathlib import Path
name = "fine" if Path("{CHECKED}").read_text() == "declared" else "drift"
lines = [json.loads(line) for line in Path("{PROJECT}", name).read_text().splitlines()]
folder, run, shard = (os.environ["STEADFAST_DRIFT_" + name] for name in ("DIR", "RUN", "SHARD"))
now = {{"run": run, "started": time.time(), "ended": time.time()}}
for line in lines:
    line.update({{key: now[key] for key in now if key in line}})
record = Path(folder, "records", run + "." + shard + ".jsonl")
record.parent.mkdir(exist_ok=True)
record.write_text("".join(json.dumps(line) + "\\n" for line in lines))
"""
#: In the virtual environment, read by each Python that starts there: it dies with half of history.json written, once that is asked for.
_CRASH = f"""
import os
_fsync = os.fsync
def fsync(descriptor):
    name = os.readlink(f"/proc/self/fd/{{descriptor}}")
    if "/.history.json." in name and os.path.exists("{CRASH}"):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        os.kill(os.getpid(), 9)
    _fsync(descriptor)
os.fsync = fsync
"""


class Monitor:
    """The check in the machine, and what it told a webhook."""

    def __init__(self, story: Story, sent: list[dict[str, Any]], port: int) -> None:
        self.story = story
        self.sent = sent
        self._port = port

    @property
    def told(self) -> list[tuple[int, int]]:
        """(new, recovered) of each message."""
        return [(len(message["new"]), len(message["recovered"])) for message in self.sent]

    def install(self) -> None:
        """What it needs as files, then the schedule by the role itself; the file is not as declared."""
        archive = self.story.directory / "monitor.tar.gz"
        version = self.story.ssh("python3", "-c", "'import sys; print(*sys.version_info[:2], sep=chr(46))'").strip()
        write_archive(archive, version, recorded(self.story.directory / "recorded"))
        self.story.ssh("sudo", "tar", "-xz", "-C", "/", given=archive)
        self.change()
        # systemd may let timers of one minute wait for each other; here every second counts
        self._drop_in("AccuracySec=1s")
        self.schedule()

    def schedule(self, state: str = "present") -> None:
        """What the role makes of it."""
        router = self.story.ssh("ip", "-4", "route", "show", "default").split()[2]
        self.story.role(
            "drift_check",
            drift_check_name=NAME,
            drift_check_state=state,
            drift_check_project=PROJECT,
            drift_check_arguments=["-i", "hosts.ini", "site.yml"],
            drift_check_environment={"HOOK": f"http://{router}:{self._port}/"},
            drift_check_policy={"notify": [{"webhook_env": "HOOK"}]},
            drift_check_schedule=SCHEDULE,
            drift_check_random_delay="0",
            drift_check_bin=f"{VENV}/bin",
        )

    def change(self) -> None:
        """Somebody changes by hand what is declared."""
        self._root(f"printf 'by hand' > {CHECKED}")

    def put_right(self) -> None:
        """It is as declared again."""
        self._root(f"printf declared > {CHECKED}")

    def comes_true(self, condition: Callable[[], Any]) -> bool:
        """Whether `condition` holds within the time of some runs, on a busy host too."""
        return any(self.story.comes_true(condition) for _patience in range(3))

    def after_a_whole_run(self) -> None:
        """Wait until a run that began after this moment has ended: until the one after it has begun."""
        for _begun in range(2):
            before = self._newest()
            assert self.comes_true(lambda: self._newest() != before), "the timer starts nothing"  # noqa: B023 - called at once

    def crash(self) -> bool:
        """Let it die in the middle of writing its state; whether systemd says that signal 9 ended it."""
        self._root(f"touch {CRASH}")
        # the state of the unit is the next run's a moment later
        killed = self.comes_true(lambda: "status=9/KILL" in self._root(f"journalctl -q -u {UNIT}.service -n 9"))
        self._root(f"rm {CRASH}")
        return killed

    def history(self) -> dict[str, Any]:
        """What it remembers."""
        return dict(json.loads(self._root(f"cat {STATE}/history.json")))

    def left_behind(self) -> list[str]:
        """Files that are half written."""
        return [name for name in self._root(f"ls -A {STATE}").split() if name.startswith(".")]

    def only_once_from_now(self) -> None:
        """The timer has one moment only, two seconds from now, and is not at work when that comes: the machine is on its way down."""
        self._root(f"systemctl stop {UNIT}.timer {UNIT}.service")
        moment = self._root("date -u -d '+2 seconds' '+%Y-%m-%d %H:%M:%S UTC'").strip()
        self._drop_in("AccuracySec=1s", "OnCalendar=", f"OnCalendar={moment}")

    def is_scheduled(self) -> bool:
        """Whether systemd knows the timer."""
        return f"{UNIT}.timer" in self._root("systemctl list-unit-files --no-legend")

    def _newest(self) -> str:
        return self._root(f"ls {STATE}/records | tail -n 1").strip()

    def _drop_in(self, *lines: str) -> None:
        folder = f"/etc/systemd/system/{UNIT}.timer.d"
        text = "\\n".join(("[Timer]", *lines, ""))
        self._root(f"mkdir -p {folder} && printf '{text}' > {folder}/test.conf && systemctl daemon-reload")

    def _root(self, script: str) -> str:
        return self.story.ssh("sudo", "sh", "-c", f'"{script}"')


def recorded(folder: Path) -> dict[str, str]:
    """{name: record} of two checks by the real ansible-playbook, as if made in the machine: the file as declared, and changed by hand."""
    folder.mkdir()
    checks = Checks(folder, ["control"])
    checks.playbook({"tasks": [setting_task(checks.place / "checked")]})
    records = {}
    for name, content in (("fine", "declared"), ("drift", "by hand")):
        (checks.place / "checked").write_text(content)
        enabled = {"ANSIBLE_CALLBACKS_ENABLED": "steadfast.ec2.drift", "STEADFAST_DRIFT_DIR": str(checks.state)}
        done = checks.play("--check", "--diff", "site.yml", STEADFAST_DRIFT_RUN=name, **enabled)
        assert done.returncode == 0, done.stdout + done.stderr
        records[name] = checks.records()[-1].read_text().replace(str(checks.place), PROJECT)
    return records


def write_archive(path: Path, version: str, records: Mapping[str, str]) -> None:
    """Everything that the machine needs, for its Python `version` (such as 3.11), as a compressed archive of its root folder."""
    packages = f"{VENV[1:]}/lib/python{version}/site-packages"
    with tarfile.open(path, mode="w:gz", compresslevel=1) as archive:
        for part in PARTS:
            archive.add(Path(ansible.__file__).parent / part, f"{packages}/ansible/{part}", filter=_of_root)
        for part in ("plugins/plugin_utils/drift", "scripts"):
            archive.add(ROOT / part, f"{COLLECTION[1:]}/{part}", filter=_of_root)
        _add(archive, f"{packages}/crash.pth", "import crash\n")
        _add(archive, f"{packages}/crash.py", _CRASH)
        _add(archive, f"{VENV[1:]}/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n")
        _add(archive, f"{VENV[1:]}/bin/ansible-playbook", _PLAYBACK, 0o755)
        _link(archive, f"{VENV[1:]}/bin/python", "/usr/bin/python3")
        for name, text in records.items():
            _add(archive, f"{PROJECT[1:]}/{name}", text)


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _add(archive: tarfile.TarFile, path: str, text: str, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(text.encode()), mode
    archive.addfile(entry, io.BytesIO(text.encode()))


def _link(archive: tarfile.TarFile, path: str, target: str) -> None:
    entry = tarfile.TarInfo(path)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an administrator has at hand: ansible-playbook, aws, ssh, curl; each run as the program itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[3]
IMAGES = "/var/www/html/images"
#: Seconds for a machine without hardware virtualisation to boot, with room for a busy host.
BOOT_SECONDS = 240.0


@dataclass(frozen=True)
class Run:
    """One run of a playbook: what it printed, and which calls of the log are its own."""

    output: str
    first_call: int
    last_call: int

    @property
    def changed(self) -> int:
        """Tasks that report a change, over all hosts, by the recap."""
        return sum(int(count) for count in re.findall(r"changed=(\d+)", self.output.split("PLAY RECAP")[-1]))

    @property
    def warnings(self) -> list[str]:
        """The lines that Ansible printed as warnings or deprecations."""
        return [line for line in self.output.splitlines() if re.match(r"\[(WARNING|DEPRECATION WARNING|ERROR)\]", line)]

    def task(self, name: str) -> str:
        """What was printed for the task whose name ends so: its diff, and its result."""
        parts = re.split(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$", self.output, flags=re.M)
        (text,) = [text for title, text in zip(parts[1::2], parts[2::2], strict=True) if title.endswith(name)]
        return str(re.split(r"^PLAY ", text, flags=re.M)[0].strip())


class Story:
    """The sandbox at `endpoint`, and the tools that look at it."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.endpoint = f"http://127.0.0.1:{port}"
        self.keys = directory / "keys"
        self.keys.mkdir(mode=0o700)
        # the name of a socket must be short
        self.sockets = Path(tempfile.mkdtemp(prefix="ssh-"))
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "STEADFAST_SANDBOX_DIR": str(directory / "sandbox"),
            "STEADFAST_KEYS": str(self.keys),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".dev/collections"),
            "ANSIBLE_NOCOLOR": "1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_PAGER": "",
        }

    def run(self, *argv: str, timeout: float = 900, check: bool = True, given: Path = Path(os.devnull)) -> str:
        """What a program printed that reads the file `given`; its failure is the test's failure, with all that it said."""
        with given.open("rb") as stream:
            done = subprocess.run(
                argv, cwd=ROOT, env=self.environment, stdin=stream, capture_output=True, text=True, timeout=timeout, check=False
            )
        output = done.stdout + (done.stderr if check else "")
        assert not check or done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return output if done.returncode == 0 else ""

    def play(self, playbook: str | Path, *arguments: str, ends_well: bool = True) -> Run:
        """Run one of the collection's playbooks, or another, on the sandbox's inventory."""
        first = self.calls_so_far()
        command = ["ansible-playbook", "-i", "inventories/sandbox", str(ROOT / "playbooks" / playbook), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=900, check=False)
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is ends_well, output[-12000:]
        return Run(output, first, self.calls_so_far())

    def role(self, name: str, *arguments: str, tasks_from: str = "main", ends_well: bool = True, **variables: Any) -> Run:
        """Run one role on the machine, with other variables than the inventory has."""
        role = {"import_role": {"name": f"steadfast.ec2.{name}", "tasks_from": tasks_from}}
        play = {"hosts": "web_servers", "become": True, "gather_facts": False, "vars": variables, "tasks": [role]}
        playbook = self.directory / "play.json"
        playbook.write_text(json.dumps([play]))
        return self.play(playbook, "--diff", *arguments, ends_well=ends_well)

    def writes_of(self, run: Run) -> list[str]:
        """The calls of `run` that changed something in the account."""
        return [call["action"] for call in self.calls_since(run.first_call)[: run.last_call - run.first_call] if call["write"]]

    def calls_so_far(self) -> int:
        return len(self.calls_since(0))

    def aws(self, *arguments: str) -> Any:
        """The answer of one awscli EC2 command, read from its JSON."""
        output = self.run("aws", "--output", "json", "ec2", *arguments)
        return json.loads(output) if output.strip() else None

    def instances(self) -> list[dict[str, Any]]:
        """The instances that are not on their way out."""
        states = "Name=instance-state-name,Values=pending,running,stopping,stopped"
        answer = self.aws("describe-instances", "--filters", states)
        return [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]

    def instance(self) -> dict[str, Any]:
        """The one instance there is."""
        (instance,) = self.instances()
        return instance

    def volumes(self) -> list[dict[str, Any]]:
        """The data volumes: all but those that machines boot from."""
        roots = {
            mapping["Ebs"]["VolumeId"]
            for instance in self.instances()
            for mapping in instance["BlockDeviceMappings"]
            if mapping["DeviceName"] == instance["RootDeviceName"]
        }
        return [volume for volume in self.aws("describe-volumes")["Volumes"] if volume["VolumeId"] not in roots]

    def wait_for_state(self, identity: str, state: str) -> None:
        """Return when an instance or a volume is in `state`; `aws ec2 wait` would look every fifteen seconds only."""
        assert self.comes_true(lambda: self._state(identity) == state), f"{identity} is {self._state(identity)}, not {state}"

    def _state(self, identity: str) -> str:
        if identity.startswith("vol-"):
            return str(self.aws("describe-volumes", "--volume-ids", identity)["Volumes"][0]["State"])
        reservations = self.aws("describe-instances", "--instance-ids", identity)["Reservations"]
        return str(reservations[0]["Instances"][0]["State"]["Name"])

    def web_group(self) -> str:
        """The id of the security group of the instance."""
        return str(self.instance()["SecurityGroups"][0]["GroupId"])

    def address(self) -> str:
        """The public address of the one instance; empty where it has none. The sandbox tells it in no time, awscli takes a second."""
        with urlopen(f"{self.endpoint}/_sandbox/status", timeout=30) as answer:
            instances = json.load(answer)["instances"]
        return next((str(one["public_ip"] or "") for one in instances if one["state"] != "terminated"), "")

    def ssh(self, *command: str, check: bool = True, given: Path = Path(os.devnull)) -> str:
        """What a command in the machine printed that reads the file `given`."""
        (key,) = self.keys.glob("*.pem")
        # a handshake takes a second of an emulated processor: all commands share one connection
        shared = ("-oControlMaster=auto", f"-oControlPath={self.sockets}/%C", "-oControlPersist=600", "-oServerAliveInterval=2")
        quiet = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR", "-oConnectTimeout=10")
        return self.run("ssh", *shared, *quiet, "-i", str(key), f"admin@{self.address()}", *command, check=check, timeout=120, given=given)

    def curl(self, path: str, *options: str, check: bool = True) -> str:
        """What curl got from the public address."""
        address = f"http://{self.address()}{path}"
        return self.run("curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "20", *options, address, check=check)

    def status(self, path: str) -> str:
        """The status code of an answer; 000 where there is none."""
        url, null = f"http://{self.address()}{path}", ("--output", "/dev/null", "--write-out", "%{http_code}")
        command = ["curl", "--silent", "--noproxy", "*", "--max-time", "20", *null, url]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def is_compressed(self, path: str) -> bool:
        """Whether a client that can take it gets it compressed."""
        return "Content-Encoding: gzip" in self.curl(path, "--head", "--header", "Accept-Encoding: gzip")

    def answers(self) -> bool:
        """Whether the page is served at this moment."""
        return bool(self.address()) and bool(self.curl("/", check=False))

    def image_is_served(self) -> bool:
        """Whether the first image of the volume is served."""
        name = next(name for name in self.ssh("ls", IMAGES).split() if name != "lost+found")
        return self.curl(f"/images/{name}", "--output", "/dev/null", "--write-out", "%{http_code}") == "200"

    def wait_until_it_answers(self) -> bool:
        """Whether the page is served before a machine's time to boot is over."""
        return self.comes_true(self.answers)

    def boot_id(self, check: bool = True) -> str:
        """A number that is another one after each start of the machine; empty where nobody answers yet."""
        return self.ssh("cat", "/proc/sys/kernel/random/boot_id", check=check).strip()

    def wait_for_new_boot(self, before: str) -> None:
        """Wait until the machine that answers has started anew."""
        assert self.comes_true(lambda: self.boot_id(check=False) not in ("", before)), "the machine did not come back"

    def calls_since(self, since: int) -> list[dict[str, Any]]:
        """The calls of the log after number `since`."""
        with urlopen(f"{self.endpoint}/_sandbox/calls?since={since}", timeout=30) as answer:
            return list(json.load(answer)["calls"])

    @staticmethod
    def comes_true(condition: Callable[[], Any]) -> bool:
        """Whether `condition` holds before a machine's time to boot is over."""
        deadline = time.monotonic() + BOOT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(1)
        return True


@contextmanager
def running_story(directory: Path) -> Iterator[Story]:
    """A sandbox with real machines on a free port, taken down whatever happens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    story = Story(directory, port)
    sandbox = (sys.executable, "-m", "sandbox")
    story.run(*sandbox, "up", "--port", str(port), timeout=600)
    try:
        yield story
    finally:
        story.run(*sandbox, "down", timeout=120)
        shutil.rmtree(story.sockets)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`./dev bench inventory`: the inventory plugin beside aws_ec2, on one replaying endpoint in one run, with the floors of both."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.support.peers import amazon_aws
from tests.support.replay import REGIONS
from tests.support.sandbox import CHECKOUT

TOOLS, HERE = Path(sys.executable).parent, Path(__file__).parent
OURS, THEIRS, FLAT, FLOOR, PAGING = "steadfast.ec2", "aws_ec2", "steadfast.ec2, flat", "ready-made hosts", "botocore paging alone"
#: What all regions together are to be held against: one of them, with its own few hosts, and one that has as many hosts as all of them.
ALONE, TOGETHER = "steadfast.ec2, one of the regions", "steadfast.ec2, all hosts in one region"
#: Ansible's own start.
START = "ansible-inventory with no host"
#: What people write into their files, in the words of both.
CONSTRUCTED: dict[str, Any] = {
    "keyed_groups": [{"key": "{tags}.Role", "prefix": "is"}, {"key": "{tags}.Owner", "prefix": "of"}, {"key": "{type}", "prefix": "type"}],
    "groups": {"production": "{tags}.Environment == 'prod'", "big": "'xlarge' in {type}"},
    "compose": {"owner": "{tags}.Owner", "cost_center": "{tags}.CostCenter | default('none')"},
}
PAGES = """
import sys, botocore.session
client = botocore.session.Session().create_client("ec2", region_name=sys.argv[1])
states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
print(sum(len(page["Reservations"]) for page in client.get_paginator("describe_instances").paginate(Filters=states)))
"""


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the clock and on the processor, MiB at its largest."""

    seconds: float
    processor: float
    memory: float


@dataclass(frozen=True)
class Scene:
    """One account and what is asked of it."""

    instances: int
    regions: int = 1
    latency: float = 0.0
    constructed: bool = False

    def __str__(self) -> str:
        words = [f"{self.instances:,} hosts", f"{self.regions} region{'s' if self.regions > 1 else ''}"]
        words += [f"{self.latency * 1000:.0f} ms away"] if self.latency else []
        return ", ".join(words + (["keyed groups and compose"] if self.constructed else []))


def main(arguments: list[str]) -> None:
    """Measure what was asked for, and print tables in Markdown."""
    parser = argparse.ArgumentParser(prog="./dev bench inventory", description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="*", default=[100, 1000, 10000], help="sizes in one region (100 1000 10000)")
    parser.add_argument("--regions", type=int, nargs="*", default=[1, 4, 17], help="numbers of regions, 50 ms away (1 4 17)")
    parser.add_argument("--each", type=int, nargs="*", default=[10, 60], help="hosts in each of these regions (10 60)")
    parser.add_argument("--commands", nargs="+", choices=["graph", "list"], default=["graph", "list"])
    parser.add_argument("--files", nargs="+", choices=["plain", "constructed"], default=["plain", "constructed"])
    parser.add_argument("--tries", type=int, default=1, help="runs of each, of which the fastest counts (1)")
    options = parser.parse_args(arguments)
    scenes = [Scene(each * regions, regions, latency=0.05) for regions in options.regions for each in options.each]
    scenes += [Scene(hosts) for hosts in options.hosts]
    start = _empty()
    print(f"{START}: {start.seconds:.2f} s, {start.processor:.2f} s of the processor, {start.memory:.0f} MiB", end="\n\n", flush=True)
    for scene in scenes:
        for constructed in [kind == "constructed" for kind in options.files]:
            with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as name:
                print(_table(replace(scene, constructed=constructed), Path(name), options, start), end="\n\n", flush=True)


def _table(scene: Scene, directory: Path, options: argparse.Namespace, start: Cost) -> str:
    """What each costs; and as a multiple of ours, as a whole and without the start of Ansible that everybody pays."""
    head = "| command | who | seconds | processor | MiB | × seconds | × processor | × processor without start | × memory |"
    lines = [f"### {scene}", "", head, "|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    with _endpoint(scene) as url:
        files = _files(scene, directory, url)
        for command in options.commands:
            costs = {who: _best(options.tries, [*_program(command), "-i", str(file)], directory, url) for who, file in files.items()}
            if scene.regions > 1:
                with _endpoint(replace(scene, regions=1)) as other:
                    costs[TOGETHER] = _best(options.tries, [*_program(command), "-i", str(files[ALONE])], directory, other)
            if not scene.constructed:
                costs[PAGING] = _best(options.tries, [sys.executable, "-c", PAGES, REGIONS[0]], directory, url)
            lines += [f"| --{command} | {who} | {_figures(cost, costs[OURS], start, who)} |" for who, cost in costs.items()]
    return "\n".join(lines)


def _figures(cost: Cost, ours: Cost, start: Cost, who: str) -> str:
    """One row. Paging alone starts no Ansible."""
    least = 0.0 if who == PAGING else start.processor
    without = (cost.processor - least) / max(0.01, ours.processor - start.processor)
    ratios = (cost.seconds / ours.seconds, cost.processor / ours.processor, without, cost.memory / ours.memory)
    words = [f"{cost.seconds:.2f}", f"{cost.processor:.2f}", f"{cost.memory:.0f}", *(f"{ratio:.2f}" for ratio in ratios)]
    return " | ".join(words)


def _files(scene: Scene, directory: Path, url: str) -> dict[str, Path]:
    """An inventory file for each; the floor gets the hosts that ours makes of this endpoint."""
    regions = list(REGIONS[: scene.regions])
    ours = {"plugin": "steadfast.ec2.instances", "regions": regions, **_constructed(scene, "ec2.tags", "ec2.instance_type")}
    flat = _constructed(scene, "tags", "instance_type")
    theirs = {"plugin": "amazon.aws.aws_ec2", "regions": regions, **flat}
    files = {OURS: directory / "ours.yml", THEIRS: directory / "theirs.aws_ec2.yml", FLOOR: directory / "ready.yml"}
    flat_ours = {"plugin": "steadfast.ec2.instances", "regions": regions, "variables": ["flat"], "details": [], **flat}
    contents = {OURS: ours, THEIRS: theirs, FLOOR: {"plugin": "ready", "file": str(directory / "ready.json")}}
    if scene.regions > 1:
        files[ALONE], contents[ALONE] = directory / "alone.yml", {**ours, "regions": regions[:1]}
    if not scene.latency:
        files[FLAT], contents[FLAT] = directory / "flat.yml", flat_ours
    for who, content in contents.items():
        files[who].write_text(yaml.safe_dump(content))
    listed = json.loads(_run([*_program("list"), "-i", str(files[OURS])], directory, url))
    groups: dict[str, list[str]] = {}
    for group, members in listed.items():
        for host in members.get("hosts", ()) if group not in ("_meta", "ungrouped") else ():
            groups.setdefault(host, []).append(group)
    ready = [[host, variables, groups.get(host, [])] for host, variables in listed["_meta"]["hostvars"].items()]
    (directory / "ready.json").write_text(json.dumps(ready))
    return files


def _constructed(scene: Scene, tags: str, kind: str) -> dict[str, Any]:
    if not scene.constructed:
        return {}
    text = json.dumps(CONSTRUCTED).replace("{tags}", tags).replace("{type}", kind)
    return dict(json.loads(text))


def _program(command: str) -> list[str]:
    return [str(TOOLS / "ansible-inventory"), f"--{command}"]


def _environment(directory: Path, url: str) -> dict[str, str]:
    """Nothing of the caller's settings; the region of the environment is the first one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "EC2_", "ANSIBLE_"))}
    (directory / "ansible.cfg").write_text("[defaults]\ndeprecation_warnings = false\n[inventory]\nenable_plugins = auto\n")
    return {
        **kept,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAREPLAY",
        "AWS_SECRET_ACCESS_KEY": "replay",
        "AWS_DEFAULT_REGION": REGIONS[0],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_COLLECTIONS_PATH": f"{CHECKOUT / '.dev' / 'collections'}:{amazon_aws()}",
        "ANSIBLE_INVENTORY_PLUGINS": str(HERE / "plugins"),
    }


def _run(command: list[str], directory: Path, url: str) -> str:
    done = subprocess.run(command, env=_environment(directory, url), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def _best(tries: int, command: list[str], directory: Path, url: str) -> Cost:
    """The fastest of some runs: others on the machine only ever make it slower."""
    return min((_cost(command, directory, url) for _ in range(tries)), key=lambda cost: cost.seconds)


def _cost(command: list[str], directory: Path, url: str) -> Cost:
    errors = directory / "errors.txt"
    began = time.monotonic()
    with errors.open("w") as log:
        process = subprocess.Popen(command, env=_environment(directory, url), stdout=subprocess.DEVNULL, stderr=log)
        _pid, status, usage = os.wait4(process.pid, 0)
    if status or "Failed to parse" in errors.read_text():
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.read_text()[-4000:]}")
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _empty() -> Cost:
    with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as name:
        (Path(name) / "ready.json").write_text("[]")
        (Path(name) / "ready.yml").write_text(yaml.safe_dump({"plugin": "ready", "file": f"{name}/ready.json"}))
        return _best(2, [*_program("graph"), "-i", f"{name}/ready.yml"], Path(name), "")


@contextmanager
def _endpoint(scene: Scene) -> Iterator[str]:
    """A process of its own, so that it takes nothing of what is measured but its part of the processors."""
    account = ["--instances", str(scene.instances), "--regions", str(scene.regions), "--latency", str(scene.latency)]
    account += ["--handshakes", "2"] if scene.latency else []
    command = [sys.executable, "-m", "tests.support.replay", *account]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        yield (process.stdout.readline() if process.stdout else "").strip()
    finally:
        process.terminate()
        process.wait()

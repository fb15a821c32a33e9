# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`./dev bench ec2`: this collection beside amazon.aws and beside bare botocore, on the same server in the same run."""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import contestants
from tests.benchmarks.measure import Bench, Run
from tests.support.sandbox import running_sandbox

#: How often what takes little is run; the fastest counts, since others on the machine only ever make it slower.
TRIES = 3
#: Equal tasks in one playbook, for the time of one.
REPEATED = 12
PROCESS = {"environment": {"STEADFAST_BENCH": "a process of its own"}}


def main(arguments: list[str]) -> None:
    """Run what was asked for, and print tables in Markdown."""
    parser = argparse.ArgumentParser(prog="./dev bench ec2", description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 10, 50], help="sizes of the fleet (1 10 50)")
    parser.add_argument("--large", type=int, nargs="*", default=[250, 500, 1000], help="sizes for us alone; none: leave it out")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts (all)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as name:
        directory = Path(name)
        with running_sandbox(directory / "sandbox", api_only=True, pace=0.0) as sandbox:
            bench = Bench(sandbox, directory)
            bench.play([{"ansible.builtin.ping": {}}])
            for part in options.only:
                print(PARTS[part](bench, options), end="\n\n", flush=True)


def fleets(bench: Bench, options: argparse.Namespace) -> str:
    """Fresh, and again with nothing to do."""
    image = _image(bench)
    rows = []
    empty = _best(TRIES, lambda: bench.play([{"ansible.builtin.meta": "noop"}]))
    for members in options.members:
        mine, yours = contestants.ours(members, image), contestants.theirs(members, image)
        peer, peer_again = _fresh_and_again(bench, lambda tasks=yours: bench.play(tasks), tries=1)
        ours, ours_again = _fresh_and_again(bench, lambda tasks=mine: bench.play(tasks))
        floor = _best(TRIES, lambda members=members: (bench.sandbox.reset(), _floor(bench, "fresh", members, image))[1])
        floor_again = _best(TRIES, lambda members=members: _floor(bench, "again", members, image))
        rows += _rows(members, "fresh", peer, ours, floor, empty)
        rows += _rows(members, "nothing to do", peer_again, ours_again, floor_again, empty)
    return _table(
        "A fleet of N instances with a volume and an address each, a key pair and a group",
        ("N", "what", "who", "calls", "× our time, whole process", "× our time, in tasks", "× our processor time", "× our memory"),
        rows,
    )


def _fresh_and_again(bench: Bench, run: Callable[[], Run], tries: int = TRIES) -> tuple[Run, Run]:
    """The best of some runs on an empty account, and of as many after the last of them."""

    def fresh() -> Run:
        bench.sandbox.reset()
        return run()

    return _best(tries, fresh), _best(tries, run)


def _floor(bench: Bench, what: str, members: int, image: str) -> Run:
    return bench.program([sys.executable, "-m", "tests.benchmarks.floor", what, str(members), image])


def _rows(members: int, what: str, peer: Run, ours: Run, floor: Run, empty: Run) -> list[tuple[str, ...]]:
    """Our row is 1.0; the floor of a whole process is bare botocore and an ansible-playbook that does nothing."""
    _say(
        f"{members} {what}: amazon.aws {peer.seconds:.2f} s, ours {ours.seconds:.2f} s ({ours.in_tasks:.2f} s in the task), "
        f"floor {floor.seconds:.2f} + {empty.seconds:.2f} s"
    )
    whole = {"amazon.aws": peer.seconds, "steadfast.ec2": ours.seconds, "floor": floor.seconds + empty.seconds}
    inside = {"amazon.aws": peer.in_tasks, "steadfast.ec2": ours.in_tasks, "floor": floor.seconds}
    cpu = {"amazon.aws": peer.cpu, "steadfast.ec2": ours.cpu, "floor": floor.cpu + empty.cpu}
    runs = {"amazon.aws": peer, "steadfast.ec2": ours, "floor": floor}
    return [
        (
            str(members),
            what,
            who,
            str(run.calls),
            f"{whole[who] / ours.seconds:.1f}",
            f"{inside[who] / ours.in_tasks:.1f}",
            f"{cpu[who] / ours.cpu:.1f}",
            f"{run.memory / ours.memory:.1f}",
        )
        for who, run in runs.items()
    ]


def singles(bench: Bench, options: argparse.Namespace) -> str:
    """One resource, nothing to do: the time of one task, in the middle of many, and what it uses of a processor."""
    bench.sandbox.reset()
    image = _image(bench)
    ping = _one_task(bench, {"ansible.builtin.ping": {}})
    rows = []
    for kind in contestants.SINGLE:
        ours, theirs = contestants.single(kind, image)
        mine, peer, process = (_one_task(bench, task) for task in (ours, theirs, {**ours, **PROCESS}))
        who = {"amazon.aws": peer, "ours": mine, "ours in a process of its own": process, "ping": ping}
        _say(f"{kind}: " + ", ".join(f"{name} {seconds:.3f} s ({cpu:.3f} s cpu)" for name, (seconds, cpu) in who.items()))
        for number, what in enumerate(("seconds", "processor time")):
            rows.append((kind, what, "1.0", *(f"{one[number] / mine[number]:.1f}" for one in (peer, process, ping))))
    head = ("one task, nothing to do", "what", "steadfast.ec2", "amazon.aws", "steadfast.ec2 as an ordinary module", "ping")
    return _table("One task, as multiples of ours", head, rows)


def _one_task(bench: Bench, task: dict[str, Any]) -> tuple[float, float]:
    """Seconds of a task among others like it, and the seconds of a processor that one more of them takes."""
    alone = bench.play([task])
    run = bench.play([task] * REPEATED)
    return statistics.median(seconds for _name, seconds in run.tasks[1:]), (run.cpu - alone.cpu) / (REPEATED - 1)


def payloads(bench: Bench, options: argparse.Namespace) -> str:
    """What travels to a target when a module runs there."""
    modules = {
        "steadfast.ec2.fleet": contestants.ours(1, "ami-1")[0],
        "steadfast.ec2.volume": contestants.single("volume")[0],
        "amazon.aws.ec2_vol": contestants.single("volume")[1],
        "amazon.aws.ec2_instance": {"amazon.aws.ec2_instance": {"name": "none", "state": "absent", "filters": {"tag:none": "none"}}},
        "steadfast.ec2.disk, where Ansible has to run it": {"steadfast.ec2.disk": {"volume": "vol-1", "path": "/nowhere"}},
    }
    alone = f"{_alone(bench) / 1024:.0f}"
    rows = [("steadfast.ec2.disk", alone, alone)]
    for name, task in modules.items():
        for left in (bench.directory / "remote").glob("*/AnsiballZ_*"):
            left.unlink()
        bench.play([{**task, **PROCESS, "check_mode": True, "ignore_errors": True}], ANSIBLE_KEEP_REMOTE_FILES="1")
        [sent] = (bench.directory / "remote").glob("*/AnsiballZ_*")
        own = sum(entry.compress_size for entry in _packed(sent) if entry.filename.startswith("ansible_collections/"))
        rows.append((name, f"{sent.stat().st_size / 1024:.0f}", f"{own / 1024:.0f}"))
    head = ("module", "KiB in all, base64", "KiB of it the collection's own, zipped (alone: in all)")
    return _table("What is sent to a target that is not the controller", head, rows)


def _alone(bench: Bench) -> int:
    """Bytes of the program of disk that goes without Ansible's own code."""
    program = (
        "from ansible_collections.steadfast.ec2.plugins.plugin_utils.on_machine import program\n"
        "print(len(program('disk/definition.py', {}, False, None)))"
    )
    return int(bench.program([sys.executable, "-c", program], PYTHONPATH=f"{os.getcwd()}/.dev/collections").output)


def _packed(sent: Path) -> list[zipfile.ZipInfo]:
    """What is in the archive inside the script that Ansible sends: its longest string."""
    longest = max(re.findall(rb"[A-Za-z0-9+/=]{1000,}", sent.read_bytes()), key=len)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(longest))) as archive:
        return archive.infolist()


def plans(bench: Bench, options: argparse.Namespace) -> str:
    """Reading and planning alone, in seconds of the processor."""
    rows = []
    first: dict[str, float] = {}
    for resources in (1000, 10000):
        run = bench.program(
            [sys.executable, "-m", "tests.benchmarks.plans", str(resources)], PYTHONPATH=f"{os.getcwd()}:{os.getcwd()}/.dev/collections"
        )
        took = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", run.output)}
        first = first or took
        _say(f"{resources} resources: {run.output.strip()}")
        growth = [f"{took[name] / first[name]:.1f}" for name in ("read", "again", "fresh")]
        rows.append((str(resources), *growth, f"{took['memory']:.0f}"))
    head = ("resources", "× mapping the answers", "× plan, nothing to do", "× plan, fresh", "MiB")
    return _table("Plans without an API, as multiples of the first row", head, rows)


def large(bench: Bench, options: argparse.Namespace) -> str:
    """Us alone, with many members: what a check of nothing to do takes."""
    image = _image(bench)
    rows = []
    first = None
    for members in options.large:
        bench.sandbox.reset()
        tasks = contestants.ours(members, image)
        made = bench.play(tasks)
        again = _best(TRIES, lambda tasks=tasks: bench.play(tasks))
        floor = _best(
            TRIES, lambda members=members: bench.program([sys.executable, "-m", "tests.benchmarks.floor", "again", str(members), image])
        )
        first = first or again
        _say(
            f"{members}: fresh {made.seconds:.1f} s, again {again.seconds:.2f} s ({again.in_tasks:.2f} inside), floor {floor.seconds:.1f} s"
        )
        rows.append(
            (
                str(members),
                str(made.calls),
                str(again.calls),
                f"{again.in_tasks / first.in_tasks:.1f}",
                f"{again.in_tasks / floor.seconds:.1f}",
                f"{again.memory:.0f}",
            )
        )
    head = ("N", "calls, fresh", "calls, nothing to do", "× the first row's time", "× the floor's time", "MiB")
    return _table("Large fleets, nothing to do", head, rows)


def _image(bench: Bench) -> str:
    """The id of an image that the sandbox has."""
    return str(bench.sandbox.client().describe_images(Owners=["136693071363"])["Images"][0]["ImageId"])


def _best(tries: int, run: Callable[[], Run]) -> Run:
    return min((run() for _ in range(tries)), key=lambda one: one.seconds)


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return f"### {title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _say(line: str) -> None:
    print(f"    {line}", file=sys.stderr, flush=True)


PARTS: dict[str, Callable[[Bench, argparse.Namespace], str]] = {
    "fleets": fleets,
    "singles": singles,
    "payloads": payloads,
    "plans": plans,
    "large": large,
}

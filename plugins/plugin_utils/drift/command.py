# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command `scripts/drift`: exit code 0 in sync, 2 drift, 1 could not tell."""

from __future__ import annotations

import argparse
import getpass
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import correct, history, notify
from .evaluate import Asked, adopt, evaluate, without_run
from .outputs.data import junit, prometheus, sarif
from .outputs.page import page
from .outputs.text import markdown, terminal
from .playbook import ENDED_BY_ITSELF, Invocation, checked_name, limit_to_shard, new_run
from .policy import Policy, read_policy
from .problems import CannotTell, Problem
from .records import newest, read_run
from .storage import locked, private_directory, read_json, write_atomic, write_json

#: name of the file → how it is made of the report. report.json is the report itself.
OUTPUTS = {"drift.html": page, "drift.junit.xml": junit, "drift.sarif": sarif, "drift.prom": prometheus, "drift.md": markdown}
#: How many runs are kept in the state directory.
KEPT_RUNS = 20


@dataclass
class Session:
    """One use of the command: the options, the policy, and the state that it reads and writes."""

    options: argparse.Namespace
    policy: Policy

    @property
    def directory(self) -> Path:
        return Path(self.options.directory).expanduser()

    def invocation(self, run: str, arguments: Sequence[str], shard: int = 1, shards: int = 0) -> Invocation:
        return Invocation(self.directory, run, tuple(arguments), str(shard), self.options.timeout, shards)

    def check(self, run: str, arguments: Sequence[str]) -> dict[str, Any]:
        """Run a check and evaluate it; the state remembers it."""
        code = self.invocation(run, arguments).record("check")
        said = f"ansible-playbook ended with {code}{' (timeout)' if code == 124 else ''}"
        try:
            records = newest(self.directory, run)
        except CannotTell as error:
            raise CannotTell("command" if code else "no_record", f"{said}. {error.problem.text}") from error
        return self.evaluated(records, run, () if code in ENDED_BY_ITSELF else (Problem("command", said),))

    def evaluated(self, records: Sequence[Path], run: str = "", troubles: Sequence[Problem] = ()) -> dict[str, Any]:
        """The report of recorded files; the state remembers it."""
        recorded = read_run(records, getattr(self.options, "shards", 0) or 0)
        recorded.problems += troubles
        asked = Asked(time.time(), run, read_json(self.directory / "baseline.json"))
        report, remembered = evaluate(recorded, self.policy, history.read(self.directory), asked)
        history.write(self.directory, remembered)
        return report

    def finish(self, report: dict[str, Any]) -> int:
        """Write every output, tell who is to be told, and say it on the terminal."""
        write_outputs(report, self.options, self.directory)
        if not self.options.no_notify and self.policy.notify:
            state = history.read(self.directory)
            for line in notify.tell(self.policy.notify, report, state):
                print(f"drift: {line}", file=sys.stderr)
            history.write(self.directory, state)
        print(terminal(report), end="")
        return int(report["exit_code"])


def write_outputs(report: dict[str, Any], options: argparse.Namespace, directory: Path) -> None:
    """All outputs from the one report; each is replaced in one step."""
    folder = Path(options.output).expanduser() if options.output else directory / "report"
    write_json(folder / "report.json", report)
    for name, make in OUTPUTS.items():
        write_atomic(folder / name, make(report))
    if options.prometheus:
        write_atomic(Path(options.prometheus), prometheus(report), 0o644)
    if options.summary:
        with Path(options.summary).open("a", encoding="utf-8") as stream:
            stream.write(markdown(report))


# --- what can be asked for --------------------------------------------------------------------------------------------


def run(session: Session) -> int:
    """Check a playbook now."""
    with locked(session.directory, wait=False):
        report = session.check(checked_name(session.options.run or new_run()), session.options.arguments)
        tidy(session.directory)
        return session.finish(report)


def record(session: Session) -> int:
    """Record one shard of a check, without a verdict; the exit code is 0 where it was recorded, else 1."""
    shard, shards = session.options.shard, session.options.of
    name = checked_name(session.options.run)
    folder = private_directory(session.directory)
    if not 1 <= shard <= shards:
        raise CannotTell("command", f"shard {shard} of {shards} is none")
    scratch = folder / f"limit.{name}.{shard}"
    try:
        arguments = limit_to_shard(session.options.arguments, shard, shards, scratch)
        code = session.invocation(name, arguments, shard, shards).record("check")
    finally:
        scratch.unlink(missing_ok=True)
    return 0 if code in ENDED_BY_ITSELF else 1


def evaluate_records(session: Session) -> int:
    """Evaluate what was recorded before, by `record` or by the callback alone."""
    with locked(session.directory):
        records = [Path(one) for one in session.options.records] or newest(session.directory, session.options.run)
        report = session.evaluated(records, session.options.run)
        tidy(session.directory)
        return session.finish(report)


def apply(session: Session) -> int:
    """Apply a playbook, and remember what it declared. The exit code is ansible-playbook's."""
    with locked(session.directory, wait=False):
        name = new_run()
        code = session.invocation(name, session.options.arguments).record("apply")
        if code in ENDED_BY_ITSELF:
            recorded = read_run(newest(session.directory, name))
            history.write(session.directory, history.apply_recorded(history.read(session.directory), recorded))
        tidy(session.directory)
        return code


def adopt_findings(session: Session) -> int:
    """Take what the last report shows as the baseline: only what is new or different is reported from now on."""
    with locked(session.directory):
        report = read_json(session.directory / "report" / "report.json") if not session.options.output else None
        report = report or read_json(Path(session.options.output or "") / "report.json")
        if not report:
            raise CannotTell("no_record", "there is no report to adopt; run a check first")
        path = session.directory / "baseline.json"
        decision = {name: getattr(session.options, name) for name in ("reason", "owner", "expires")}
        before = read_json(path) or {}
        after = adopt(report, before, decision)
        write_json(path, after)
        print(f"{len(after.keys() - before.keys())} findings adopted, {len(after)} in all, until {decision['expires']}: {path}")
        return 0


def correct_findings(session: Session) -> int:
    """Check, correct what the policy allows, and check again."""
    with locked(session.directory, wait=False):
        arguments = session.options.arguments
        report = session.check(new_run(), arguments)
        decision = correct.decide(report, session.policy, time.time())
        for line in decision.refused:
            print(f"drift: not corrected: {line}", file=sys.stderr)
        if decision.hosts:
            name = new_run()
            session.invocation(name, (*arguments, "--limit", ",".join(decision.hosts))).record("apply")
            applied = history.apply_recorded(history.read(session.directory), read_run(newest(session.directory, name)))
            history.write(session.directory, applied)
            report = session.check(new_run(), arguments)
            who = f"{getpass.getuser()}@{socket.gethostname()}"
            history.write(session.directory, correct.recorded(history.read(session.directory), decision, report, who))
            report = {**report, "corrected": [f"{one['host']}: {one['resource']}" for one in decision.findings]}
        tidy(session.directory)
        return session.finish({**report, "not_corrected": list(decision.refused)})


def tidy(directory: Path) -> None:
    """Keep the records of the last runs only, and nothing that a crash left half written. For whoever holds the lock."""
    for scratch in directory.glob(".*.json.*"):
        scratch.unlink(missing_ok=True)
    files = sorted((directory / "records").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    runs = list(dict.fromkeys(path.name.split(".", 1)[0] for path in files))
    for path in files:
        if path.name.split(".", 1)[0] in runs[:-KEPT_RUNS]:
            path.unlink(missing_ok=True)


# --- the command line -------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """The options, as `--help` shows them."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--directory", default="~/.local/state/steadfast-drift", help="state of this check: history, records, reports (%(default)s)"
    )
    common.add_argument("--policy", help="suppressions, severities, owners, whom to tell, what may be corrected (YAML or JSON)")
    common.add_argument("--output", help="where the outputs go (DIRECTORY/report)")
    common.add_argument("--prometheus", help="also write the metrics to this file, for the textfile collector")
    common.add_argument("--summary", help="also append the Markdown to this file, such as $GITHUB_STEP_SUMMARY")
    common.add_argument("--no-notify", action="store_true", help="tell nobody")
    common.add_argument("--timeout", type=float, default=0.0, help="end ansible-playbook after so many seconds")
    top = argparse.ArgumentParser(prog="drift", description="Drift checks. Exit code 0: in sync, 2: drift, 1: could not tell.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function, text in (
        ("run", run, "check a playbook now: drift run [options] -- PLAYBOOK [options of ansible-playbook]"),
        ("record", record, "record one shard of a check, to be evaluated later"),
        ("evaluate", evaluate_records, "evaluate what was recorded"),
        ("apply", apply, "apply a playbook and remember what it declared, to tell drift from pending changes"),
        ("adopt", adopt_findings, "take what the last report shows as known"),
        ("correct", correct_findings, "check, correct what the policy allows, and check again"),
    ):
        command = commands.add_parser(name, parents=[common], help=text, description=text)
        command.set_defaults(function=function, arguments=[], run="")
        _special(name, command)
    return top


def _special(name: str, command: argparse.ArgumentParser) -> None:
    if name in ("run", "evaluate"):
        command.add_argument("--run", default="", help="the id of the run")
    if name == "record":
        command.add_argument("--run", required=True, help="the id of the run, the same for all its shards")
        command.add_argument("--shard", type=int, default=1, help="which part of the hosts, from 1")
        command.add_argument("--of", type=int, default=1, help="how many parts there are")
    if name == "evaluate":
        command.add_argument("--shards", type=int, help="how many shards there must be")
        command.add_argument("--max-age", type=float, help="how many hours old the run may be")
        command.add_argument("records", nargs="*", help="record files; the newest run in DIRECTORY where none is given")
    if name == "adopt":
        for option in ("reason", "owner", "expires"):
            command.add_argument(f"--{option}", required=True)


def main(arguments: Sequence[str]) -> int:
    """Run the command; whatever goes wrong is exit code 1 with a reason, in every output too."""
    own, rest = (list(arguments), []) if "--" not in arguments else _split(list(arguments))
    try:
        options = parser().parse_args(own)
    except SystemExit as ended:
        return 0 if ended.code == 0 else 1  # argparse would end with 2, which means drift here
    options.arguments = rest
    policy = Policy()
    try:
        policy = read_policy(Path(options.policy).expanduser() if options.policy else None)
        if getattr(options, "max_age", None):
            policy = replace(policy, max_age_hours=options.max_age)
        return int(options.function(Session(options, policy)))
    except CannotTell as error:
        return _could_not(error.problem, Session(options, policy))


def _could_not(problem: Problem, session: Session) -> int:
    """Say why in every output, so that a report of an earlier run cannot be taken for this one's."""
    if problem.code == "busy" or session.options.command in ("adopt", "apply", "record"):
        print(f"drift: {problem.text}", file=sys.stderr)
        return 1
    try:
        known = history.read(session.directory)
    except CannotTell:
        known = history.empty()
    report = without_run(problem, known, time.time())
    try:
        return session.finish(report)
    except (CannotTell, OSError) as error:
        print(f"drift: {problem.text}\ndrift: {error}", file=sys.stderr)
        return 1


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]

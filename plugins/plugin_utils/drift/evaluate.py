# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a recorded run to the one report that every output is made of, and the one verdict. Pure: no file, no clock."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import history as memory
from .declared import is_pending
from .observe import UNDECLARED
from .policy import SEVERITIES, Policy
from .problems import MEANINGS, CannotTell, Problem
from .recorder import settled_key
from .records import Run

SCHEMA = 1
#: verdict → exit code, as Terraform's plan has them.
EXIT_CODES = {"in_sync": 0, "unknown": 1, "drift": 2}
TITLES = {"in_sync": "In sync", "unknown": "Could not tell", "drift": "Drift"}

#: What makes the verdict "could not tell" when it is found.
_TROUBLE = {"unknown": "unknown", "error": "failed", "unreachable": "unreachable"}


@dataclass(frozen=True)
class Asked:
    """What the evaluation is asked for: the time (seconds since 1970), the run that must be it, and what was adopted."""

    now: float
    run: str = ""
    baseline: Mapping[str, Any] | None = None


def evaluate(run: Run, policy: Policy, history: Mapping[str, Any], asked: Asked) -> tuple[dict[str, Any], dict[str, Any]]:
    """(report, new history)."""
    findings = [_classified(finding, run, policy, history, asked) for finding in run.findings]
    problems = [*run.problems, *_problems(run, findings, policy, asked)]
    scope = memory.scope_of(run, findings, not problems)
    remembered, findings, resolved = memory.follow(history, findings, scope, policy, asked.now)
    report = {
        "schema": SCHEMA,
        "evaluated": asked.now,
        "run": run.to_dict(),
        "problems": [problem.to_dict() for problem in sorted(set(problems))],
        "hosts": _hosts(run, findings),
        "findings": sorted(findings, key=_importance),
        "resolved": resolved,
        "suppressions": _suppressions(policy, findings, asked.now),
        "fail_on": list(policy.fail_on),
        "last_success": history["last_success"],
    }
    report.update(verdict_of(report))
    if report["verdict"] != "unknown":
        report["last_success"] = remembered["last_success"] = asked.now
    return report, remembered


def without_run(problem: Problem, history: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The report where there is nothing to evaluate: it says why, in every output."""
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "evaluated": now,
        "run": Run("").to_dict(),
        "problems": [problem.to_dict()],
        "hosts": {"expected": 0, "evaluated": 0, "states": {}},
        "findings": [],
        "resolved": [],
        "suppressions": [],
        "fail_on": ["drift"],
        "last_success": history["last_success"],
    }
    return {**report, **verdict_of(report)}


def verdict_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """The one verdict: {verdict, title, exit_code, summary, counts}. Where something could not be told, that comes before drift,
    because a list that may be incomplete must not look like a whole one."""
    counts = Counter(finding["kind"] for finding in report["findings"] if not finding["suppressed"])
    suppressed = sum(bool(finding["suppressed"]) for finding in report["findings"])
    verdict = "unknown" if report["problems"] else "drift" if any(counts[kind] for kind in report["fail_on"]) else "in_sync"
    parts = [f"{counts[kind]} {kind}" for kind in ("drift", "pending", "hidden") if counts[kind]]
    parts += [f"{suppressed} suppressed"] if suppressed else []
    parts += [f"{len(report['resolved'])} resolved"] if report["resolved"] else []
    problems = Counter(problem["code"] for problem in report["problems"])
    parts += [f"{MEANINGS[code]}{f' ({count})' if count > 1 else ''}" for code, count in sorted(problems.items())]
    hosts = f"{report['hosts']['evaluated']} of {report['hosts']['expected']} hosts looked at"
    return {
        "verdict": verdict,
        "title": TITLES[verdict],
        "exit_code": EXIT_CODES[verdict],
        "summary": f"{TITLES[verdict]}: {', '.join([*parts, hosts])}.",
        "counts": {**{kind: counts[kind] for kind in sorted(counts)}, "suppressed": suppressed, "resolved": len(report["resolved"])},
    }


def active(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings that are there and not suppressed: what people are told of."""
    return [one for one in report["findings"] if one["kind"] in ("drift", "pending") and not one["suppressed"]]


# --- one finding ------------------------------------------------------------------------------------------------------


def _classified(finding: Mapping[str, Any], run: Run, policy: Policy, history: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The finding with its kind as far as the whole run tells it, severity, owner, and whether it is suppressed."""
    known = {name: value for name, value in finding.items() if name not in ("type", "tokens")}
    known["kind"] = _kind(finding, run, history)
    known["severity"] = policy.severity_of(known)
    known["owner"] = policy.owner_of(known)
    return {**known, **_suppressed(known, policy, asked)}


def _kind(finding: Mapping[str, Any], run: Run, history: Mapping[str, Any]) -> str:
    if finding["kind"] == "error" and not finding.get("ignored") and not run.hosts.get(finding["host"], {}).get("failures"):
        return "rescued" if run.hosts.get(finding["host"]) else "error"
    if finding["kind"] != "drift" or finding["change"] == UNDECLARED:
        return str(finding["kind"])
    names = (finding["host"], finding["role"], finding["file"], finding["task"], finding["item"])
    applied = history["applied"].get(settled_key(*names), {}).get("tokens")
    was_applied = f"{finding['playbook']}\x1f{finding['host']}" in history["applied_hosts"]
    return "pending" if is_pending(finding.get("tokens") or {}, applied, was_applied) else "drift"


def _suppressed(finding: Mapping[str, Any], policy: Policy, asked: Asked) -> dict[str, Any]:
    """`suppressed`: by what, or nothing; the attributes that are left; `state` where a suppression has run out."""
    today = datetime.datetime.fromtimestamp(asked.now, datetime.UTC).date()
    left, by, expired = list(finding["attributes"]), [], False
    for suppression in policy.suppressions:
        paths = [one["path"] for one in left if suppression.rule.matches(finding, one["path"])]
        if not (paths or (not finding["attributes"] and suppression.rule.matches(finding))):
            continue
        if suppression.expires < today:
            expired = True
            continue
        by.append(suppression.to_dict())
        left = [one for one in left if one["path"] not in paths]
    adopted = (asked.baseline or {}).get(finding["fingerprint"])
    if adopted and (left or not finding["attributes"]) and all(one["hash"] == adopted["hashes"].get(one["path"]) for one in left):
        if adopted["expires"] < today.isoformat():
            expired = True
        else:
            by.append({name: adopted[name] for name in ("reason", "owner", "expires")} | {"fingerprint": finding["fingerprint"]})
            left = []
    whole = bool(by) and not left
    rest = {"suppressed_attributes": len(finding["attributes"]) - len(left)} if by and left else {}
    state = {"state": "suppressed"} if whole else {"state": "suppression_expired"} if expired and not by else {}
    return {"suppressed": by if whole else [], "attributes": finding["attributes"] if whole else left, **rest, **state}


# --- the run ----------------------------------------------------------------------------------------------------------


def _problems(run: Run, findings: Iterable[Mapping[str, Any]], policy: Policy, asked: Asked) -> list[Problem]:
    problems = _of_the_record(run, policy, asked)
    told = set()
    for finding in findings:
        code = _TROUBLE.get(finding["kind"])
        if code:
            told.add((finding["host"], code))
        if code and not finding["suppressed"]:
            problems.append(Problem(code, _sentence(finding), finding["host"]))
    for host, counts in run.hosts.items():
        for count, code in (("failures", "failed"), ("unreachable", "unreachable")):
            if counts.get(count) and (host, code) not in told:
                problems.append(Problem(code, f"{host}: {count} {counts[count]}, and no record of them", host))
    return problems


def _sentence(finding: Mapping[str, Any]) -> str:
    message = finding.get("message", "").strip().splitlines()
    where = f"{finding['task']} ({finding['file']}:{finding['line']})"
    after = " What an earlier change would make is not there yet." if finding.get("after_change") else ""
    ignored = " The playbook goes on after it (ignore_errors)." if finding.get("ignored") else ""
    return f"{where}: {message[0] if message else finding['kind']}{ignored}{after}"


def _of_the_record(run: Run, policy: Policy, asked: Asked) -> list[Problem]:
    problems = []
    if asked.run and run.run != asked.run:
        problems.append(Problem("wrong_run", f"the record is of run {run.run or '(none)'}, not of {asked.run}"))
    age = (asked.now - run.started) / 3600
    if age > policy.max_age_hours:
        problems.append(Problem("stale", f"the run is {age:.1f} hours old; {policy.max_age_hours:g} are allowed"))
    if not run.check:
        problems.append(Problem("not_a_check", "without check mode a run changes what it finds, and cannot report it"))
    if not run.hosts:
        problems.append(Problem("zero_hosts", "no task ran on any host. See the inventory, --limit and --tags"))
    if not run.partial:
        empty = [name for name in run.empty_plays if name not in policy.allow_empty_plays]
        problems += [Problem("empty_play", f"play {name}: no host. If that is right, name it in allow_empty_plays") for name in empty]
    return problems


def _hosts(run: Run, findings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many hosts there are, and what is with each: in_sync, drift, failed, unreachable or not_evaluated."""
    drifted = {one["host"] for one in findings if one["kind"] in ("drift", "pending") and not one["suppressed"]}
    states = {}
    for host in sorted({*run.expected, *run.hosts}):
        counts = run.hosts.get(host)
        if counts is None:
            states[host] = "not_evaluated"
        elif counts.get("unreachable"):
            states[host] = "unreachable"
        elif counts.get("failures"):
            states[host] = "failed"
        else:
            states[host] = "drift" if host in drifted else "in_sync"
    return {"expected": len(states), "evaluated": len(run.whole_hosts()), "states": states}


def _suppressions(policy: Policy, findings: Iterable[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """Each suppression of the policy, whether it has run out, and how many findings it means."""
    today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
    used = Counter(str(by) for finding in findings for by in finding["suppressed"])
    return [{**one.to_dict(), "expired": one.expires < today, "findings": used[str(one.to_dict())]} for one in policy.suppressions]


def _importance(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    kinds = ("drift", "pending", "error", "unreachable", "unknown", "hidden", "executed", "rescued", "consequence")
    rank = kinds.index(finding["kind"]) if finding["kind"] in kinds else len(kinds)
    return (
        bool(finding["suppressed"]),
        rank,
        -SEVERITIES.index(finding["severity"]),
        finding["host"],
        finding["resource"],
        finding["fingerprint"],
    )


def adopt(report: Mapping[str, Any], baseline: Mapping[str, Any], decision: Mapping[str, str]) -> dict[str, Any]:
    """The baseline with all that is found now. `decision`: reason, owner and expires; what differs otherwise later is reported again."""
    for name in ("reason", "owner", "expires"):
        if not decision.get(name):
            raise CannotTell("policy", f"adopting needs {name}: what is passed over needs a reason, an owner and an end")
    found = {
        one["fingerprint"]: {"hashes": {part["path"]: part["hash"] for part in one["attributes"]}, "resource": one["resource"], **decision}
        for one in active(report)
    }
    return {**baseline, **found}

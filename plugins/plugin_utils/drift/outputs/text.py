# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report for people: in a terminal, and as Markdown for the page of a CI job."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

#: A terminal and a job page are for a look; the whole is in report.json.
MOST_FINDINGS = 200


def terminal(report: Mapping[str, Any]) -> str:
    """The verdict first and last, in between what was found on each host."""
    lines = [report["summary"], *about(report), ""]
    for problem in report["problems"]:
        lines.append(f"  ! {problem['host'] or 'run'}: {problem['meaning']}: {problem['text']}")
    shown = [one for one in report["findings"] if not one["suppressed"] and one["kind"] not in ("unknown", "error", "unreachable")]
    for host, findings in groupby(sorted(shown[:MOST_FINDINGS], key=lambda one: str(one["host"])), key=lambda one: one["host"]):
        lines += ["", str(host)]
        for finding in findings:
            lines += [f"  {headline(finding)}", *(f"      {line}" for line in differences(finding))]
    lines += _rest(len(shown))
    if report["resolved"]:
        lines += ["", "Resolved since the last run", *(f"  {one['host']}: {one['resource']}" for one in report["resolved"][:MOST_FINDINGS])]
    lines += ["", *expiring(report), report["summary"]]
    return "\n".join(lines) + "\n"


def markdown(report: Mapping[str, Any]) -> str:
    """The same as a page of GitHub Flavoured Markdown."""
    lines = [
        f"## Drift check: {report['title']}",
        "",
        _escaped(report["summary"]),
        "",
        *(f"* {_escaped(line)}" for line in about(report)),
        "",
    ]
    if report["problems"]:
        lines += ["### Why it could not tell", "", "| host | why | |", "|---|---|---|"]
        lines += [_row(one["host"] or "(run)", one["meaning"], one["text"]) for one in report["problems"][:MOST_FINDINGS]]
        lines += [""]
    shown = [one for one in report["findings"] if not one["suppressed"] and one["kind"] in ("drift", "pending", "hidden")]
    if shown:
        lines += [
            "### What differs",
            "",
            "| host | resource | attribute | expected | actual | severity | state |",
            "|---|---|---|---|---|---|---|",
        ]
        for finding in shown[:MOST_FINDINGS]:
            state = " ".join(part for part in (finding["kind"], finding["state"]) if part)
            for one in finding["attributes"] or [{"path": "", "expected": finding["change"], "actual": ""}]:
                values = (one["path"], spelt(one["expected"]), spelt(one["actual"]))
                lines.append(_row(finding["host"], finding["resource"], *values, finding["severity"], state))
        lines += [*_rest(len(shown)), ""]
    if report["resolved"]:
        lines += [
            "### Resolved",
            "",
            *(f"* {_escaped(one['host'])}: {_escaped(one['resource'])}" for one in report["resolved"][:MOST_FINDINGS]),
            "",
        ]
    return "\n".join([*lines, *(_escaped(line) for line in expiring(report))]).rstrip() + "\n"


def about(report: Mapping[str, Any]) -> Iterator[str]:
    """Which run it is about, in a few lines."""
    run = report["run"]
    if run["run"]:
        commits = ", ".join(commit[:12] for commit in run["commits"])
        yield f"run {run['run']}, {moment(run['started'])}, {', '.join(run['playbooks'])}" + (
            f", commit {commits}{' with local changes' if run['dirty'] else ''}" if commits else ""
        )
    if run["partial"]:
        names = ("limit", "tags", "skip_tags", "start_at")
        yield "only a part was looked at: " + ", ".join(f"{name} {spelt(run[name])}" for name in names if run[name])
    if report["last_success"] and report["verdict"] == "unknown":
        yield f"the last check that could tell was at {moment(report['last_success'])}"


def expiring(report: Mapping[str, Any]) -> Iterator[str]:
    """Suppressions that have run out, and those that no finding needs any more."""
    for one in report["suppressions"]:
        name = one.get("resource") or one.get("fingerprint") or one.get("attribute") or one.get("task") or one.get("host") or ""
        if one["expired"]:
            yield f"The suppression of {name} ({one['owner']}: {one['reason']}) ended on {one['expires']}."
        elif not one["findings"] and not report["run"]["partial"]:
            yield f"The suppression of {name} ({one['owner']}: {one['reason']}) is not needed by anything that was found."


def headline(finding: Mapping[str, Any]) -> str:
    """One line: what it is, how bad, since when."""
    since = f", since {moment(finding['since'])}, {seen(finding)}" if finding.get("occurrences", 0) > 1 else ""
    where = f" (delegated to {finding['delegated_to']})" if finding.get("delegated_to") else ""
    flapping = ", FLAPPING" if finding.get("flapping") else ""
    state = f" {finding['state']}" if finding["state"] else ""
    item = f" [{finding['item']}]" if finding["item"] and finding["item"] not in finding["resource"] else ""
    facts = f"{finding['severity']}{state}{since}{flapping}"
    return f"{finding['kind']}: {finding['resource']}{item}{where} ({facts}) {finding['file']}:{finding['line']}"


def differences(finding: Mapping[str, Any]) -> Iterator[str]:
    """One line for each attribute."""
    if finding.get("censored"):
        yield "no_log: what differs is not shown"
    elif not finding["attributes"] and finding["kind"] in ("drift", "pending"):
        yield f"{finding['change']}: {finding['action']} does not say which attributes differ"
    for one in finding["attributes"]:
        yield f"{one['path']}: expected {spelt(one['expected'])}, actual {spelt(one['actual'])}"


def spelt(value: Any) -> str:
    """A value in one line, as people write it."""
    if value is None:
        return "(none)"
    if isinstance(value, str):
        return value.replace("\n", " ⏎ ") if value else '""'
    return json.dumps(value, ensure_ascii=False, default=str)


def seen(finding: Mapping[str, Any]) -> str:
    """In how many checks it was there."""
    return "seen once" if finding["occurrences"] == 1 else f"seen {finding['occurrences']} times"


def moment(seconds: float) -> str:
    """A time, in UTC, to the minute."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _rest(count: int) -> list[str]:
    return ["", f"… and {count - MOST_FINDINGS} more in report.json"] if count > MOST_FINDINGS else []


def _row(*cells: str) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Markdown shows the text as it is: no markup, no mention of people, no address that is loaded."""
    for sign in "\\`*_[]<>|#@!":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text.replace("\n", " ⏎ ")

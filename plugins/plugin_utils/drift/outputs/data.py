# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report for programs: JUnit, SARIF and Prometheus text."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ..problems import MEANINGS
from .text import differences, headline

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_FOLLOWED = ("drift", "pending", "hidden")


# --- JUnit ------------------------------------------------------------------------------------------------------------


def junit(report: Mapping[str, Any]) -> str:
    """A suite for each host, and one for the run. There is a failure or an error exactly if the exit code is not 0."""
    cases: dict[str, list[tuple[str, str]]] = {"run": []}
    for host, state in report["hosts"]["states"].items():
        cases[host] = [(_case(host, "in sync", ""), "")] if state == "in_sync" else []
    for problem in report["problems"]:
        body = f"<error type={_quoted(problem['code'])} message={_quoted(problem['meaning'])}>{_text(problem['text'])}</error>"
        cases.setdefault(problem["host"] or "run", []).append((_case(problem["host"] or "run", problem["text"], body), "error"))
    for finding in report["findings"]:
        if finding["kind"] in _FOLLOWED:
            cases.setdefault(finding["host"], []).append(_finding_case(finding, report["fail_on"]))
    if not cases["run"]:
        cases["run"] = [(_case("run", report["summary"], ""), "")]
    suites = [_suite(host, ones) for host, ones in cases.items() if ones]
    total = Counter(kind for ones in cases.values() for _case_text, kind in ones)
    counts = f'tests="{sum(total.values())}" failures="{total["failure"]}" errors="{total["error"]}" skipped="{total["skipped"]}"'
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return f'{head}<testsuites name="drift" {counts}>\n{"".join(suites)}</testsuites>\n'


def _finding_case(finding: Mapping[str, Any], fail_on: Iterable[str]) -> tuple[str, str]:
    detail = _text("\n".join([headline(finding), *differences(finding)]))
    if finding["suppressed"]:
        kind, body = "skipped", f"<skipped message={_quoted(str(finding['suppressed'][0]['reason']))}/>"
    elif finding["kind"] in fail_on:
        kind, body = "failure", f"<failure type={_quoted(finding['severity'])} message={_quoted(headline(finding))}>{detail}</failure>"
    else:
        kind, body = "", f"<system-out>{detail}</system-out>"
    return _case(finding["host"], f"{finding['resource']} {finding['item']}".strip(), body), kind


def _suite(host: str, cases: list[tuple[str, str]]) -> str:
    total = Counter(kind for _text_of, kind in cases)
    counts = f'tests="{len(cases)}" failures="{total["failure"]}" errors="{total["error"]}" skipped="{total["skipped"]}"'
    return f"<testsuite name={_quoted(host)} {counts}>\n{''.join(text for text, _kind in cases)}</testsuite>\n"


def _case(host: str, name: str, body: str) -> str:
    return f"<testcase classname={_quoted(host)} name={_quoted(name)}>{body}</testcase>\n"


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("?", text))


def _quoted(text: str) -> str:
    return quoteattr(_NOT_XML.sub("?", text).replace("\n", " "))


# --- SARIF ------------------------------------------------------------------------------------------------------------


def sarif(report: Mapping[str, Any]) -> str:
    """SARIF 2.1.0: each result at the task that declares it, with a fingerprint that stays."""
    findings = [finding for finding in report["findings"] if finding["kind"] in _FOLLOWED]
    results = [_finding_result(finding) for finding in findings] + [_problem_result(problem, report) for problem in report["problems"]]
    rules = sorted({result["ruleId"] for result in results})
    driver = {"name": "steadfast.ec2.drift", "informationUri": "https://github.com/steadfast-collections/steadfast.ec2"}
    run = {
        "tool": {"driver": {**driver, "rules": [{"id": rule, "shortDescription": {"text": _rule_text(rule)}} for rule in rules]}},
        "automationDetails": {"id": f"drift/{report['run']['run'] or 'none'}"},
        "invocations": [{"executionSuccessful": report["verdict"] != "unknown", "exitCode": report["exit_code"]}],
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the root of the repository with the playbook"}}},
        "results": results,
        "properties": {"verdict": report["verdict"], "summary": report["summary"]},
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, ensure_ascii=False) + "\n"


def _finding_result(finding: Mapping[str, Any]) -> dict[str, Any]:
    details = "; ".join(differences(finding))
    suppressions = [{"kind": "external", "justification": f"{one['owner']}: {one['reason']}"} for one in finding["suppressed"]]
    return {
        "ruleId": f"{finding['kind']}/{finding['resource_kind']}",
        "level": "note" if finding["kind"] != "drift" else _LEVELS[finding["severity"]],
        "message": {"text": f"{finding['host']}: {finding['resource']}: {details or finding['change']}"},
        "locations": [_location(finding["file"], finding["line"])],
        "partialFingerprints": {"steadfastDrift/v1": finding["fingerprint"]},
        **({"suppressions": suppressions} if suppressions else {}),
        "properties": {"host": finding["host"], "severity": finding["severity"], "state": finding["state"]},
    }


def _problem_result(problem: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    playbooks = report["run"]["playbooks"] or ["playbook.yml"]
    return {
        "ruleId": f"could-not-tell/{problem['code']}",
        "level": "error",
        "message": {"text": f"{problem['host'] or 'run'}: {problem['meaning']}: {problem['text']}"},
        "locations": [_location(playbooks[0], 1)],
        "partialFingerprints": {"steadfastDrift/v1": f"{problem['code']}/{problem['host']}/{problem['text']}"[:200]},
    }


def _rule_text(rule: str) -> str:
    kind, _sep, what = rule.partition("/")
    return MEANINGS.get(what, what) if kind == "could-not-tell" else f"{kind} of a {what}"


def _location(file: str, line: int) -> dict[str, Any]:
    artifact = {"uri": file.lstrip("/") or "playbook.yml", "uriBaseId": "SRCROOT"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": max(line, 1)}}}


# --- Prometheus -------------------------------------------------------------------------------------------------------


def prometheus(report: Mapping[str, Any]) -> str:
    """Text for the textfile collector of node_exporter. The time of the last success is the dead man's switch."""
    lines: list[str] = []
    kinds = Counter(
        (one["kind"], one["severity"], "suppressed" if one["suppressed"] else one["state"] or "none") for one in report["findings"]
    )
    lines += _metric(
        "findings",
        "What was found, by kind, severity and state.",
        {f'kind="{kind}",severity="{severity}",state="{state}"': count for (kind, severity, state), count in sorted(kinds.items())},
    )
    states = Counter(report["hosts"]["states"].values())
    every = ("drift", "failed", "in_sync", "not_evaluated", "unreachable")
    lines += _metric("hosts", "Hosts, by what is with them.", {f'state="{state}"': states[state] for state in every})
    problems = Counter(problem["code"] for problem in report["problems"])
    lines += _metric("problems", "Reasons why a check could not tell.", {f'code="{code}"': problems[code] for code in sorted(MEANINGS)})
    since = [one["since"] for one in report["findings"] if one.get("since") and not one["suppressed"]]
    single = (
        ("exit_code", "0 in sync, 1 could not tell, 2 drift.", report["exit_code"]),
        ("active", "Findings that make the verdict drift.", sum(report["counts"].get(kind, 0) for kind in report["fail_on"])),
        ("unknown_tasks", "Tasks that cannot tell in check mode.", report["counts"].get("unknown", 0)),
        ("oldest_age_seconds", "For how long the oldest finding has been there.", round(report["evaluated"] - min(since)) if since else 0),
        ("partial", "Whether only a part was looked at.", int(report["run"]["partial"])),
        ("last_run_timestamp_seconds", "When the last evaluation was.", round(report["evaluated"], 3)),
        ("last_success_timestamp_seconds", "When a check could tell for the last time.", round(report["last_success"], 3)),
    )
    for name, text, value in single:
        lines += _metric(name, text, {"": value})
    return "\n".join(lines) + "\n"


def _metric(name: str, text: str, values: Mapping[str, float]) -> list[str]:
    full = f"steadfast_drift_{name}"
    samples = [f"{full}{{{labels}}} {value}" if labels else f"{full} {value}" for labels, value in values.items()]
    return [f"# HELP {full} {text}", f"# TYPE {full} gauge", *samples]

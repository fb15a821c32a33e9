# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an automatic correction may touch. Pure: what it decides is data, and says why."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .evaluate import active
from .observe import UNDECLARED
from .policy import Correction, Policy


@dataclass(frozen=True)
class Decision:
    """The hosts to correct with their findings, and what is left to people, with the reason."""

    hosts: tuple[str, ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    refused: tuple[str, ...] = ()


def decide(report: Mapping[str, Any], policy: Policy, now: float) -> Decision:
    """A host is corrected only if all that was found on it may be: a playbook corrects a host as a whole."""
    rules = policy.correct
    if report["verdict"] == "unknown":
        return Decision(refused=("the check could not tell, so nothing is corrected",))
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    found = active(report)
    if found and not rules.open_at(moment):
        return Decision(refused=(f"{moment:%a %H:%M} UTC is outside the maintenance window",))
    by_host: dict[str, list[dict[str, Any]]] = defaultdict(list)
    everything: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for finding in found:
        by_host[finding["host"]].append(finding)
    for finding in report["findings"]:
        everything[finding["host"]].append(finding)
    allowed, refused = [], []
    for host in sorted(by_host):
        reasons = [f"{host}: {one['resource']}: {reason}" for one in everything[host] if (reason := _refusal(one, rules))]
        refused += reasons
        if not reasons:
            allowed.append(host)
    findings = [finding for host in allowed for finding in by_host[host]]
    if len(allowed) > rules.max_hosts or len(findings) > rules.max_findings:
        limits = f"{rules.max_hosts} hosts and {rules.max_findings} findings"
        refused.append(f"{len(allowed)} hosts with {len(findings)} findings are more than {limits}: that needs a person")
        return Decision(refused=tuple(refused))
    return Decision(tuple(allowed), tuple(findings), tuple(refused))


def _refusal(finding: Mapping[str, Any], rules: Correction) -> str:
    """Why a finding is not corrected, nothing where it may be, or where a correction would not touch it."""
    if finding["kind"] not in ("drift", "pending", "hidden"):
        return ""
    if finding["change"] == UNDECLARED and finding["suppressed"]:
        return ""
    if finding["suppressed"] or finding.get("suppressed_attributes"):
        return "it is passed over, and correcting the host would bring it back, too; that needs a person"
    if finding["change"] == UNDECLARED:
        return "nobody declares it, so no playbook takes it away; that needs a person"
    if finding["kind"] == "pending":
        return "it is a change that was not applied yet; applying is for people"
    if finding.get("flapping"):
        return "it keeps coming back; somebody has to find out why"
    if finding.get("corrected", 0) >= rules.max_corrections:
        return f"it was corrected {finding['corrected']} times already; somebody has to find out why"
    if finding["severity"] not in rules.severities:
        return f"severity {finding['severity']} is not among {', '.join(rules.severities)}"
    if not any(rule.matches_all(finding) for rule in rules.allow):
        return "nothing in correct.allow means it"
    return ""


def recorded(history: Mapping[str, Any], decision: Decision, report: Mapping[str, Any], who: str) -> dict[str, Any]:
    """The history with what was corrected, by whom, and whether the check after it found it gone."""
    left = {one["fingerprint"] for one in report["findings"]}
    findings = {mark: dict(one) for mark, one in history["findings"].items()}
    for finding in decision.findings:
        memory = findings.get(finding["fingerprint"])
        if memory is not None:
            memory["corrected"] = [*memory["corrected"], report["evaluated"]][-50:]
    entry = {
        "at": report["evaluated"],
        "by": who,
        "run": report["run"]["run"],
        "hosts": list(decision.hosts),
        "findings": [
            {
                "fingerprint": one["fingerprint"],
                "resource": one["resource"],
                "host": one["host"],
                "verified": one["fingerprint"] not in left,
            }
            for one in decision.findings
        ],
    }
    return {**history, "findings": findings, "corrections": [*history["corrections"], entry][-200:]}

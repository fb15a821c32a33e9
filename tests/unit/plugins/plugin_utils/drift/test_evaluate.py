# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one verdict, and what is remembered from run to run."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift import history
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.evaluate import adopt
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.problems import CannotTell
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.records import Run

Make = Callable[..., Any]
KNOWN = {"reason": "a scanner rewrites it", "owner": "web-team", "expires": "2027-01-20"}


def test_a_missing_shard_is_noticed_where_nobody_says_how_many_there_are(story: Any) -> None:
    """The record itself tells."""
    report = story.run(shard="1", of=2)
    assert (report["exit_code"], [one["code"] for one in report["problems"]]) == (1, ["missing_shard"])
    assert story.run(shard="1", of=1)["exit_code"] == 0


def states(report: dict[str, Any]) -> list[str]:
    return [one["state"] for one in report["findings"]]


def test_a_finding_is_new_then_ongoing_then_changed_then_resolved_then_reopened(story: Any, make_finding: Make) -> None:
    """The state says what happened since the run before; since when and how often is kept."""
    assert states(story.run(make_finding())) == ["new"]
    first = story.now
    again = story.run(make_finding())
    assert states(again) == ["ongoing"]
    assert (again["findings"][0]["first_seen"], again["findings"][0]["occurrences"]) == (first, 2)
    assert states(story.run(make_finding(actual="0000"))) == ["changed"]
    gone = story.run()
    assert (gone["verdict"], [one["resource"] for one in gone["resolved"]]) == ("in_sync", ["/etc/motd"])
    assert story.run()["resolved"] == []
    back = story.run(make_finding())
    assert (states(back), back["findings"][0]["since"], back["findings"][0]["first_seen"]) == (["reopened"], story.now, first)


def test_what_keeps_coming_back_is_flapping(story: Any, make_finding: Make) -> None:
    """Three times reopened within a week; a month later it is forgiven."""
    flapping = [story.run(make_finding(), days=1)["findings"][0]["flapping"]]
    for _ in range(3):
        story.run(days=0.5)
        flapping.append(story.run(make_finding(), days=0.5)["findings"][0]["flapping"])
    assert flapping == [False, False, False, True]
    assert story.run(make_finding(), days=30)["findings"][0]["flapping"] is False


@pytest.mark.parametrize(
    ("about", "outcome"),
    [
        ({}, "resolved"),
        ({"limit": "h2", "hosts": ["h2"]}, "kept"),
        ({"tags": ["web"]}, "kept"),
        ({"skip_tags": ["web"]}, "kept"),
        ({"start_at": "Later"}, "kept"),
        ({"playbook": "other.yml"}, "kept"),
        ({"hosts": ["h2"]}, "resolved"),  # h1 left the inventory
    ],
)
def test_only_what_was_looked_at_is_resolved(story: Any, make_finding: Make, about: dict[str, Any], outcome: str) -> None:
    """A slice of hosts or tasks, or another playbook, says nothing about the rest."""
    story.run(make_finding())
    assert len(story.run(**about)["resolved"]) == (outcome == "resolved")


def test_a_task_that_cannot_tell_resolves_nothing(story: Any, make_finding: Make) -> None:
    """A task that fails although it is ignored, or is skipped as unknown, may hide what it reported before."""
    story.run(make_finding())
    for kind in ("error", "unknown"):
        report = story.run(make_finding("Files", kind=kind, attributes=[], ignored=True, message="no"))
        assert (report["resolved"], report["verdict"]) == ([], "unknown")


def test_a_suppression_clears_the_finding_until_it_ends(story: Any, make_finding: Make) -> None:
    """By glob; it counts as suppressed and not as drift. When it ends, the finding is back and says why."""
    story.decide(suppressions=[{"resource": "/etc/*", **KNOWN}])
    report = story.run(make_finding())
    assert (report["verdict"], report["counts"]["suppressed"], states(report)) == ("in_sync", 1, ["suppressed"])
    ended = story.run(make_finding(), days=10)
    assert (ended["verdict"], states(ended)) == ("drift", ["suppression_expired"])
    assert [one["expired"] for one in ended["suppressions"]] == [True]


def test_a_suppressed_attribute_leaves_the_others(story: Any, make_finding: Make) -> None:
    """Only what is named is passed over: another attribute of the same thing is still drift."""
    story.decide(suppressions=[{"attribute": "mode", **KNOWN}])
    owner = {"path": "owner", "expected": "root", "actual": "bin", "hash": "o"}
    (found,) = story.run(make_finding(attributes=[*make_finding()["attributes"], owner]))["findings"]
    assert ([one["path"] for one in found["attributes"]], found["suppressed"], found["suppressed_attributes"]) == (["owner"], [], 1)
    assert story.run(make_finding())["verdict"] == "in_sync"


def test_an_unknown_task_can_be_suppressed(story: Any, make_finding: Make) -> None:
    """Somebody may vouch for a command that check mode cannot tell anything about."""
    unknown = make_finding("Files", kind="unknown", attributes=[], message="Command would have run")
    assert story.run(unknown)["verdict"] == "unknown"
    story.decide(suppressions=[{"task": "Files", "kind": "unknown", **KNOWN}])
    assert story.run(unknown, days=0.5)["verdict"] == "in_sync"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"supressions": []}, "supressions is not known"),
        ({"suppressions": [{"resource": "x", "owner": "a", "expires": "2027-01-01"}]}, "reason is missing"),
        ({"suppressions": [{"resource": "x", "reason": "a", "owner": "a"}]}, "expires is missing"),
        ({"suppressions": [{**KNOWN, "expires": "soon", "resource": "x"}]}, "no date"),
        ({"suppressions": [KNOWN]}, "names nothing"),
        ({"severity": [{"resource": "x", "severity": "huge"}]}, "severity is 'huge'"),
        ({"fail_on": ["nothing"]}, "neither drift nor pending"),
        ({"notify": [{"format": "slack"}]}, "one of webhook"),
        ({"correct": {"window": {"from": "late"}}}, "no time"),
        ({"max_age_hours": -1}, "no number above 0"),
        ([], "no mapping"),
    ],
)
def test_a_policy_that_is_not_understood_is_refused(story: Any, content: Any, said: str) -> None:
    """A typing error must not pass anything over: the message names the place."""
    path = story.folder / "policy.json"
    path.write_text(__import__("json").dumps(content))
    from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.policy import read_policy

    with pytest.raises(CannotTell, match=said):
        read_policy(path)


def test_adopting_passes_over_today_and_not_tomorrow(story: Any, make_finding: Make) -> None:
    """After adoption the same drift is suppressed; another value of the same attribute, or another thing, is reported."""
    story.baseline = adopt(story.run(make_finding()), {}, KNOWN)
    assert story.run(make_finding())["verdict"] == "in_sync"
    assert story.run(make_finding(actual="0777"))["verdict"] == "drift"
    assert story.run(make_finding(), make_finding("/etc/other"))["counts"] == {"drift": 1, "suppressed": 1, "resolved": 0}
    assert story.run(make_finding(), days=10)["verdict"] == "drift"


def test_severity_and_owner_follow_the_rules(story: Any, make_finding: Make) -> None:
    """The first rule that fits decides; a rule about an attribute fits only if it fits all of them."""
    story.decide(severity=[{"resource": "/etc/*", "severity": "critical"}], owners=[{"host": "h*", "owner": "web-team"}])
    (found,) = story.run(make_finding())["findings"]
    assert (found["severity"], found["owner"]) == ("critical", "web-team")
    tags = [{"path": "tags.x", "expected": "1", "actual": "2", "hash": "t"}]
    (low,) = story.run(make_finding("instance web", attributes=tags))["findings"]
    assert low["severity"] == "low"
    (more,) = story.run(make_finding("instance web", attributes=[*tags, *make_finding()["attributes"]]))["findings"]
    assert more["severity"] == "medium"


def applied(story: Any, tokens: dict[str, str] | None) -> None:
    """An apply of the playbook in which the task declared `tokens` (None: it was not there)."""
    key = "\x1f".join(("h1", "", "site.yml", "Files", ""))
    settled = {} if tokens is None else {key: {"playbook": "site.yml", "tokens": tokens}}
    story.history = history.apply_recorded(story.history, Run("a1", playbooks=["site.yml"], hosts={"h1": {"ok": 1}}, settled=settled))


@pytest.mark.parametrize(
    ("tokens", "kind"),
    [
        ({"options": "declared 1"}, "drift"),  # declared as it was applied: the system moved
        ({"options": "declared 0"}, "pending"),  # declared otherwise: the code moved
        (None, "pending"),  # a task that was not there
        ({}, "drift"),  # it was skipped then, or did not tell: not certain, so drift
    ],
)
def test_pending_is_told_from_drift(story: Any, make_finding: Make, tokens: dict[str, str] | None, kind: str) -> None:
    """What is not applied yet is pending, and no drift; what is not certain counts as drift."""
    applied(story, tokens)
    report = story.run(make_finding())
    assert [one["kind"] for one in report["findings"]] == [kind]
    assert report["exit_code"] == (2 if kind == "drift" else 0)
    story.decide(fail_on=["drift", "pending"])
    assert story.run(make_finding())["exit_code"] == 2


def test_what_nobody_declares_is_drift_even_before_an_apply(story: Any, make_finding: Make) -> None:
    """A task that is not applied yet makes what others put there no change of the code."""
    applied(story, None)
    assert story.run(make_finding(change="undeclared"))["counts"]["drift"] == 1


def test_without_any_apply_all_is_drift(story: Any, make_finding: Make) -> None:
    """Where nobody ever recorded an apply, nothing can be called pending."""
    assert story.run(make_finding())["counts"]["drift"] == 1


def test_the_time_of_the_last_success_stays_while_a_check_cannot_tell(story: Any, make_finding: Make) -> None:
    """Drift is a success of the check; a failure is not, and does not move the dead man's switch."""
    assert story.run(make_finding())["last_success"] == story.now
    before = story.now
    assert story.run(make_finding("Files", kind="error", attributes=[], message="no"))["last_success"] == before


def test_ten_thousand_findings_are_no_trouble(story: Any, make_finding: Make) -> None:
    """10,000 findings on 1,000 hosts are evaluated; memory grows by a few kilobytes for each, and outputs stay readable."""
    from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.command import OUTPUTS

    hosts = [f"h{n}" for n in range(1000)]
    findings = [make_finding(f"/etc/{n}", host) for host in hosts for n in range(10)]
    tracemalloc.start()
    report = story.run(*findings, hosts=hosts)
    _size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report["counts"]["drift"] == 10_000
    assert peak / 10_000 < 20_000
    assert all(make(report) for make in OUTPUTS.values())
    assert len(OUTPUTS["drift.html"](report)) < 5_000_000

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is told what, and what may be corrected."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift import correct, notify
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.policy import Correction

Make = Callable[..., Any]
CHANNEL = ({"name": "chat", "webhook": "http://127.0.0.1:1/x"},)


class Receiver:
    """A channel that keeps what it was sent, and can be out of order."""

    def __init__(self, story: Any) -> None:
        self.story = story
        self.messages: list[notify.Message] = []
        self.broken = False

    def take(self, _channel: Mapping[str, Any], message: notify.Message) -> None:
        if self.broken:
            raise ConnectionError("secret address")
        self.messages.append(message)

    def after(self, *findings: dict[str, Any], **about: Any) -> list[str]:
        """The lines that came in for a further run."""
        self.messages.clear()
        report = self.story.run(*findings, **about)
        self.wrong = notify.tell(CHANNEL, report, self.story.history, self.take)
        lines = [line.split(" ")[0] for message in self.messages for line in message.lines]
        assert len(self.messages) == bool(lines), "one message for all that is told, and none for nothing"
        return lines


@pytest.fixture
def receiver(story: Any) -> Receiver:
    return Receiver(story)


def test_one_message_for_new_one_for_recovered_none_for_still(receiver: Receiver, make_finding: Make) -> None:
    """The same drift twice gives one alert, its end one more, and a clean run none."""
    assert receiver.after() == []
    assert receiver.after(make_finding()) == ["NEW"]
    assert receiver.after(make_finding()) == []
    assert receiver.after(make_finding(), make_finding("/etc/other")) == ["NEW"]
    assert receiver.after(make_finding("/etc/other")) == ["RECOVERED"]
    assert receiver.after() == ["RECOVERED"]
    assert receiver.after() == []


def test_trouble_is_told_once_and_its_end_too(receiver: Receiver, make_finding: Make) -> None:
    """A check that cannot tell is no recovery; what it did not look at is still there afterwards."""
    failed = make_finding("Files", kind="error", attributes=[], message="no")
    assert receiver.after(make_finding()) == ["NEW"]
    assert receiver.after(failed) == ["CANNOT"]
    assert receiver.after(failed) == []
    assert receiver.after(make_finding()) == ["The"]
    assert receiver.after(make_finding()) == []


def test_a_message_that_did_not_get_through_is_sent_again(receiver: Receiver, make_finding: Make) -> None:
    """ "Never posted" is not "all clear"; and an address, which may be a secret, is in no error."""
    receiver.broken = True
    assert receiver.after(make_finding()) == []
    assert receiver.wrong == ["notify chat: ConnectionError; it is told with the next run"]
    receiver.broken = False
    assert receiver.after(make_finding()) == ["NEW"]


def test_a_slice_recovers_nothing(receiver: Receiver, make_finding: Make) -> None:
    """A run that did not look at it does not say that it is gone."""
    assert receiver.after(make_finding()) == ["NEW"]
    assert receiver.after(tags=["other"]) == []


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[bytes]]]:
    """An address, and the bodies that were posted to it."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", bodies
        server.shutdown()
        thread.join()


def test_webhooks_get_json_they_understand(story: Any, make_finding: Make, webhook: tuple[str, list[bytes]], monkeypatch: Any) -> None:
    """Generic JSON has the findings as data; Slack's form has a text."""
    import json

    address, bodies = webhook
    monkeypatch.setenv("HOOK", address)
    channels = ({"webhook": address}, {"webhook_env": "HOOK", "format": "slack"})
    assert notify.tell(channels, story.run(make_finding()), story.history) == []
    generic, slack = (json.loads(body) for body in bodies)
    assert (generic["verdict"], generic["new"][0]["resource"]) == ("drift", "/etc/motd")
    assert set(slack) == {"text"}
    assert "/etc/motd" in slack["text"]


def test_mail_goes_to_a_relay(story: Any, make_finding: Make, monkeypatch: Any) -> None:
    """With a subject of one line, to all that are named, and the findings as text."""
    import smtplib

    sent: list[Any] = []

    class Relay:
        def __init__(self, *where: Any, **_: Any) -> None:
            sent.append(where)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: Any) -> None:
            pass

        def send_message(self, mail: Any) -> None:
            sent.append(mail)

    monkeypatch.setattr(smtplib, "SMTP", Relay)
    channel = {"mail": {"to": ["a@example.com", "b@example.com"], "from": "d@example.com", "host": "relay", "port": 2525}}
    assert notify.tell((channel,), story.run(make_finding()), story.history) == []
    where, mail = sent
    assert (where, mail["To"]) == (("relay", 2525), "a@example.com, b@example.com")
    assert "/etc/motd" in mail.get_content()


def test_a_topic_is_published_to(story: Any, make_finding: Make, monkeypatch: Any, webhook: tuple[str, list[bytes]]) -> None:
    """SNS is called in the region of the topic; an answer that is no answer of SNS is told as not taken."""
    from urllib.parse import parse_qs

    address, bodies = webhook
    for name, value in (
        ("ENDPOINT_URL_SNS", address),
        ("ACCESS_KEY_ID", "x"),
        ("SECRET_ACCESS_KEY", "x"),
        ("EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    notify.tell(({"sns": "arn:aws:sns:eu-central-1:123456789012:drift"},), story.run(make_finding()), story.history)
    fields = parse_qs(bodies[0].decode())
    assert (fields["Action"], fields["TopicArn"]) == (["Publish"], ["arn:aws:sns:eu-central-1:123456789012:drift"])
    assert "/etc/motd" in fields["Message"][0]


# --- correction -------------------------------------------------------------------------------------------------------

ALLOW = {"allow": [{"resource": "/etc/*"}]}


def decision(story: Any, *findings: dict[str, Any], hosts: tuple[str, ...] = ("h1",), **rules: Any) -> correct.Decision:
    """What may be corrected of these findings."""
    story.decide(correct={**ALLOW, **rules})
    return correct.decide(story.run(*findings, hosts=hosts, days=0.01), story.policy, story.now)


def test_only_what_is_allowed_is_corrected(story: Any, make_finding: Make) -> None:
    """On the allow-list, of a severity that is allowed, and nothing else on that host."""
    assert decision(story, make_finding()).hosts == ("h1",)
    assert decision(story, make_finding("/usr/x")).refused == ("h1: /usr/x: nothing in correct.allow means it",)
    assert decision(story, make_finding(), make_finding("/usr/x")).hosts == ()
    both = decision(story, make_finding(), make_finding("/usr/x", "h2"), hosts=("h1", "h2"))
    assert both.hosts == ("h1",)
    assert "severity medium" in decision(story, make_finding(), severities=["low"]).refused[0]


def test_what_nobody_declares_is_left_to_people(story: Any, make_finding: Make) -> None:
    """No playbook takes it away, so correcting would only be repeated."""
    assert "that needs a person" in decision(story, make_finding(change="undeclared")).refused[0]


@pytest.mark.parametrize("known", [{"resource": "/etc/x"}, {"attribute": "owner"}], ids=["finding", "attribute"])
def test_what_is_passed_over_is_not_brought_back_with_the_rest(story: Any, make_finding: Make, known: dict[str, str]) -> None:
    """A playbook corrects a host as a whole, so what people decided to leave as it is would go with it."""
    story.decide(correct=ALLOW, suppressions=[{**known, "reason": "tried out", "owner": "me", "expires": "2099-01-01"}])
    found = make_finding()
    found["attributes"] = [*found["attributes"], {"path": "owner", "expected": "root", "actual": "me", "hash": "y"}]
    report = story.run(found, make_finding("/etc/x"))
    decided = correct.decide(report, story.policy, story.now)
    assert (decided.hosts, len(decided.refused)) == ((), 1)
    assert "it is passed over" in decided.refused[0]


def test_what_no_task_calls_a_change_needs_to_be_allowed_too(story: Any, make_finding: Make) -> None:
    """A task with `changed_when: false` changes it all the same."""
    found = decision(story, make_finding(), make_finding("/usr/y", kind="hidden"))
    assert found.refused == ("h1: /usr/y: nothing in correct.allow means it",)


def test_pending_changes_are_never_applied_by_themselves(story: Any, make_finding: Make) -> None:
    """A host with something that was not applied yet is left to people."""
    from .test_evaluate import applied

    applied(story, {"options": "declared 0"})
    assert "not applied yet" in decision(story, make_finding()).refused[0]


def test_limits_stop_a_correction_of_too_much(story: Any, make_finding: Make) -> None:
    """More hosts or findings than expected: a person looks first."""
    findings = [make_finding(host=host) for host in ("h1", "h2")]
    assert decision(story, *findings, hosts=("h1", "h2"), max_hosts=1).hosts == ()
    assert decision(story, *findings, hosts=("h1", "h2"), max_findings=1).hosts == ()
    assert decision(story, *findings, hosts=("h1", "h2")).hosts == ("h1", "h2")


def test_outside_the_window_nothing_is_corrected(story: Any, make_finding: Make) -> None:
    """The runs are at eight in the morning."""
    assert decision(story, make_finding(), window={"from": "22:00", "to": "04:00"}).hosts == ()
    assert decision(story, make_finding(), window={"from": "07:00", "to": "10:00"}).hosts == ("h1",)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [("2027-01-15T23:00", True), ("2027-01-16T03:59", True), ("2027-01-16T04:00", False), ("2027-01-16T23:00", False)],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins(moment: str, inside: bool) -> None:
    """From Friday 22:00 to 04:00 includes the small hours of Saturday, and not its evening."""
    rules = Correction(days=("fri",), begin=datetime.time(22), end=datetime.time(4))
    assert rules.open_at(datetime.datetime.fromisoformat(f"{moment}+00:00")) is inside


def test_what_flaps_or_was_corrected_often_is_left_to_people(story: Any, make_finding: Make) -> None:
    """A correction that does not last is no correction."""
    story.decide(correct={**ALLOW, "max_corrections": 2})
    for _ in range(2):
        found = decision(story, make_finding(), max_corrections=2)
        assert found.hosts == ("h1",)
        after = story.run(days=0.01)
        story.history = correct.recorded(story.history, found, after, "me@here")
    assert "corrected 2 times already" in decision(story, make_finding(), max_corrections=2).refused[0]
    assert [entry["findings"][0]["verified"] for entry in story.history["corrections"]] == [True, True]
    story.run(days=0.01)
    assert "keeps coming back" in decision(story, make_finding(), max_corrections=9).refused[0]

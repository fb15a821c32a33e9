# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells people when the set of findings changes: once for what is new, once for what recovered, never for what is still there.

What each channel was told is kept, and only after the channel took it: a message that did not get through is sent again with the
next run, and a crash in between sends it twice rather than never.
"""

from __future__ import annotations

import json
import os
import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from .evaluate import active
from .outputs.text import differences, headline
from .policy import SEVERITIES

SECONDS = 10
#: More would not be read in a message; the report has all.
MOST = 20


@dataclass(frozen=True)
class Message:
    """What one channel is to be told, and what it will have been told then."""

    title: str
    lines: tuple[str, ...]
    data: Mapping[str, Any]
    told: Mapping[str, Any]

    @property
    def text(self) -> str:
        return "\n".join([self.title, *self.lines])


def message_for(
    report: Mapping[str, Any], history: Mapping[str, Any], told: Mapping[str, Any], min_severity: str = "low"
) -> Message | None:
    """The message for a channel that was told `told` before; None where nothing has changed for it."""
    before: Mapping[str, str] = told.get("findings", {})
    enough = SEVERITIES[SEVERITIES.index(min_severity) :]
    there = {one["fingerprint"]: one for one in active(report) if one["severity"] in enough}
    new = [one for mark, one in there.items() if mark not in before]
    gone = {mark: line for mark, line in before.items() if mark not in there and _is_over(mark, report, history)}
    broken, was_broken = report["verdict"] == "unknown", bool(told.get("broken"))
    if not new and not gone and broken == was_broken:
        return None
    lines = [f"NEW {one['host']}: {headline(one)}" + "".join(f"\n    {line}" for line in differences(one)) for one in new[:MOST]]
    lines += [f"… and {len(new) - MOST} more"] if len(new) > MOST else []
    lines += [f"RECOVERED {line}" for line in list(gone.values())[:MOST]]
    if broken and not was_broken:
        lines += [f"CANNOT TELL {one['host'] or 'run'}: {one['meaning']}: {one['text']}" for one in report["problems"][:MOST]]
    elif was_broken and not broken:
        lines += ["The check can tell again."]
    after = {mark: line for mark, line in before.items() if mark not in gone} | {
        one["fingerprint"]: f"{one['host']}: {one['resource']}" for one in new
    }
    data = {
        "verdict": report["verdict"],
        "exit_code": report["exit_code"],
        "summary": report["summary"],
        "run": report["run"]["run"],
        "new": new,
        "recovered": [{"fingerprint": mark, "text": line} for mark, line in gone.items()],
        "problems": report["problems"],
    }
    return Message(f"Drift check: {report['summary']}", tuple(lines), data, {"findings": after, "broken": broken})


def _is_over(mark: str, report: Mapping[str, Any], history: Mapping[str, Any]) -> bool:
    """Whether a finding that was told of is resolved, suppressed or forgotten; one that was not looked at this time is not over."""
    remembered = history["findings"].get(mark)
    suppressed = any(one["fingerprint"] == mark and one["suppressed"] for one in report["findings"])
    return suppressed or remembered is None or remembered["state"] == "resolved"


Sender = Callable[[Mapping[str, Any], Message], None]


def tell(
    channels: tuple[Mapping[str, Any], ...], report: Mapping[str, Any], history: dict[str, Any], send: Sender | None = None
) -> list[str]:
    """Tell every channel what is new for it; `history` remembers what it took. Returns what went wrong, one line for each channel."""
    wrong = []
    for number, channel in enumerate(channels):
        name = str(channel.get("name") or f"{_kind(channel)} {number}")
        message = message_for(report, history, history["told"].get(name, {}), str(channel.get("min_severity", "low")))
        if message is None:
            continue
        try:
            (send or deliver)(channel, message)
        except Exception as error:  # whatever a channel does, the others are told and the verdict stands
            wrong.append(f"notify {name}: {type(error).__name__}; it is told with the next run")
        else:
            history["told"] = {**history["told"], name: dict(message.told)}
    return wrong


def deliver(channel: Mapping[str, Any], message: Message) -> None:
    """Send one message by webhook, mail or SNS; raises whatever the way raises."""
    kind = _kind(channel)
    if kind == "mail":
        _mail(channel["mail"], message)
    elif kind == "sns":
        _sns(str(channel["sns"]), message)
    else:
        _webhook(_address(channel), message, str(channel.get("format", "generic")))


def _kind(channel: Mapping[str, Any]) -> str:
    return "mail" if channel.get("mail") else "sns" if channel.get("sns") else "webhook"


def _address(channel: Mapping[str, Any]) -> str:
    """Addresses of webhooks are secrets, so they may come from the environment or a file."""
    if channel.get("webhook_env"):
        return os.environ[str(channel["webhook_env"])]
    if channel.get("webhook_file"):
        return Path(str(channel["webhook_file"])).expanduser().read_text(encoding="utf-8").strip()
    return str(channel["webhook"])


def _webhook(address: str, message: Message, form: str) -> None:
    body = {"text": message.text} if form == "slack" else {"title": message.title, "text": message.text, **message.data}
    if not address.startswith(("https://", "http://")):
        raise ValueError("a webhook is an http or https address")
    from ansible.module_utils.urls import open_url  # an evaluation without webhooks does not need it

    headers = {"Content-Type": "application/json"}
    open_url(address, method="POST", data=json.dumps(body, default=str).encode(), headers=headers, timeout=SECONDS).close()


def _mail(settings: Mapping[str, Any], message: Message) -> None:
    mail = EmailMessage()
    mail["Subject"] = message.title.replace("\n", " ")[:200]
    mail["From"] = str(settings["from"])
    to = settings["to"]
    mail["To"] = ", ".join(to) if isinstance(to, list) else str(to)
    mail.set_content(message.text)
    with smtplib.SMTP(str(settings.get("host", "localhost")), int(settings.get("port", 25)), timeout=SECONDS) as server:
        server.send_message(mail)


def _sns(topic: str, message: Message) -> None:
    from ...module_utils.aws.client import Client  # only who uses SNS needs botocore
    from ...module_utils.aws.connection import Connection

    client = Client(Connection(region=topic.split(":")[3]), "sns")
    client.call("Publish", {"TopicArn": topic, "Subject": "Drift check", "Message": message.text[:200_000]})

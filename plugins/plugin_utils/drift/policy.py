# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the people who run a check decided: suppressions, severities, owners, limits, who is told, what may be corrected."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .problems import CannotTell

SEVERITIES = ("low", "medium", "high", "critical")
KINDS = ("drift", "pending", "hidden", "unknown", "error", "unreachable")
#: What a rule can look at.
FIELDS = ("host", "resource", "resource_kind", "attribute", "role", "task", "kind", "fingerprint")

#: Severities where no rule of the policy says otherwise: who gets in, before what it is called.
DEFAULT_SEVERITIES: tuple[tuple[Mapping[str, str], str], ...] = (
    ({"resource_kind": "security_group"}, "high"),
    ({"resource_kind": "key_pair"}, "high"),
    ({"kind": "hidden"}, "low"),
    ({"attribute": "tags*"}, "low"),
)


@dataclass(frozen=True)
class Rule:
    """Globs by field. A field that is not named matches everything."""

    globs: Mapping[str, str]

    def matches(self, finding: Mapping[str, Any], attribute: str | None = None) -> bool:
        """Whether the finding (and, where the rule names one, the attribute) is meant."""
        return all(fnmatchcase(str(finding.get(name, "")), glob) for name, glob in self.globs.items() if name != "attribute") and (
            "attribute" not in self.globs or (attribute is not None and fnmatchcase(attribute, self.globs["attribute"]))
        )

    def matches_all(self, finding: Mapping[str, Any]) -> bool:
        """Whether the rule means the finding with every one of its attributes."""
        paths = [one["path"] for one in finding["attributes"]]
        return all(self.matches(finding, path) for path in paths) if paths else self.matches(finding)


@dataclass(frozen=True)
class Suppression:
    """What is known and not to be reported, why, on whose word, and until when."""

    rule: Rule
    reason: str
    owner: str
    expires: datetime.date

    def to_dict(self) -> dict[str, str]:
        """The suppression as JSON-ready data."""
        return {**self.rule.globs, "reason": self.reason, "owner": self.owner, "expires": self.expires.isoformat()}


@dataclass(frozen=True)
class Correction:
    """What may be corrected without being asked, and within which limits."""

    allow: tuple[Rule, ...] = ()
    severities: tuple[str, ...] = ("low", "medium")
    days: tuple[str, ...] = ()
    begin: datetime.time = datetime.time(0, 0)
    end: datetime.time = datetime.time(0, 0)
    max_hosts: int = 5
    max_findings: int = 20
    max_corrections: int = 3

    def open_at(self, now: datetime.datetime) -> bool:
        """Whether `now` (UTC) is in the maintenance window; one that ends at its beginning lasts all day, and may pass midnight."""
        clock = now.time().replace(tzinfo=None)
        day = now
        if self.begin < self.end:
            inside = self.begin <= clock < self.end
        else:
            inside = clock >= self.begin or clock < self.end
            if clock < self.end and self.begin != self.end:
                day = now - datetime.timedelta(days=1)
        return inside and (not self.days or day.strftime("%a").lower() in self.days)


@dataclass(frozen=True)
class Policy:
    """All decisions of one policy file."""

    suppressions: tuple[Suppression, ...] = ()
    severity: tuple[tuple[Rule, str], ...] = ()
    owners: tuple[tuple[Rule, str], ...] = ()
    fail_on: tuple[str, ...] = ("drift",)
    allow_empty_plays: tuple[str, ...] = ()
    max_age_hours: float = 24.0
    flapping_times: int = 3
    flapping_days: float = 7.0
    notify: tuple[Mapping[str, Any], ...] = ()
    correct: Correction = field(default_factory=Correction)

    def severity_of(self, finding: Mapping[str, Any]) -> str:
        """The first rule that means the whole finding decides, then the defaults, else it is medium."""
        defaults = [(Rule(globs), severity) for globs, severity in DEFAULT_SEVERITIES]
        return next((severity for rule, severity in (*self.severity, *defaults) if rule.matches_all(finding)), "medium")

    def owner_of(self, finding: Mapping[str, Any]) -> str:
        """Whose it is, by the first rule that means it."""
        return next((owner for rule, owner in self.owners if rule.matches_all(finding)), "")


def read_policy(path: Path | None) -> Policy:
    """The policy in a YAML or JSON file; raises CannotTell that names what is wrong with it."""
    if path is None:
        return Policy()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotTell("policy", f"{path}: cannot be read: {error.strerror}") from error
    content = _parsed(path, text)
    if content is None:
        return Policy()
    return _Reader(str(path)).policy(content)


def _parsed(path: Path, text: str) -> Any:
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except ValueError as error:
            raise CannotTell("policy", f"{path}: no JSON: {error}") from error
    try:
        import yaml
    except ImportError as error:
        raise CannotTell(
            "policy", f"{path}: this Python has no PyYAML. Run with the Python of Ansible, or write JSON in a file .json."
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CannotTell("policy", f"{path}: no YAML: {error}") from error


class _Reader:
    """Turns the content of a policy file into a Policy. Whatever is not understood is refused: a typing error must not suppress."""

    def __init__(self, where: str) -> None:
        self.where = where

    def policy(self, content: Any) -> Policy:
        values = self.mapping(content, "policy", (*_SETTINGS, "suppressions", "severity", "owners", "flapping", "notify", "correct"))
        flapping = self.mapping(values.get("flapping", {}), "flapping", ("times", "days"))
        fail_on = self.texts(values.get("fail_on", ["drift"]), "fail_on")
        for kind in fail_on:
            self.require(kind in ("drift", "pending"), "fail_on", f"{kind} is neither drift nor pending")
        return Policy(
            suppressions=tuple(self.suppression(one, n) for n, one in enumerate(self.items(values, "suppressions"), 1)),
            severity=tuple(self.choice(one, "severity", SEVERITIES) for one in self.items(values, "severity")),
            owners=tuple(self.choice(one, "owner", ()) for one in self.items(values, "owners")),
            fail_on=fail_on,
            allow_empty_plays=self.texts(values.get("allow_empty_plays", []), "allow_empty_plays"),
            max_age_hours=self.number(values.get("max_age_hours", 24), "max_age_hours"),
            flapping_times=int(self.number(flapping.get("times", 3), "flapping.times")),
            flapping_days=self.number(flapping.get("days", 7), "flapping.days"),
            notify=tuple(self.channel(one) for one in self.items(values, "notify")),
            correct=self.correction(values.get("correct") or {}),
        )

    def suppression(self, content: Any, number: int) -> Suppression:
        where = f"suppressions, number {number}"
        values = self.mapping(content, where, (*FIELDS, "reason", "owner", "expires"))
        for name in ("reason", "owner", "expires"):
            self.require(bool(values.get(name)), where, f"{name} is missing: what is passed over needs a reason, an owner and an end")
        rule = self.rule(values, where)
        self.require(bool(rule.globs), where, f"it names nothing that it is about (one of {', '.join(FIELDS)})")
        return Suppression(rule, str(values["reason"]), str(values["owner"]), self.date(values["expires"], where))

    def choice(self, content: Any, name: str, choices: tuple[str, ...]) -> tuple[Rule, str]:
        values = self.mapping(content, name, (*FIELDS, name))
        value = str(values.get(name, ""))
        self.require(value in choices if choices else bool(value), name, f"{name} is {value!r}; it is {' or '.join(choices) or 'a name'}")
        return self.rule(values, name), value

    def correction(self, content: Any) -> Correction:
        values = self.mapping(content, "correct", ("allow", "severities", "window", "max_hosts", "max_findings", "max_corrections"))
        window = self.mapping(values.get("window") or {}, "correct.window", ("days", "from", "to"))
        severities = self.texts(values.get("severities", ["low", "medium"]), "correct.severities")
        self.require(set(severities) <= set(SEVERITIES), "correct.severities", f"they are {', '.join(SEVERITIES)}")
        days = tuple(day.lower()[:3] for day in self.texts(window.get("days", []), "correct.window.days"))
        self.require(set(days) <= set(_DAYS), "correct.window.days", f"they are {', '.join(_DAYS)}")
        limits = {
            name: int(self.number(values[name], f"correct.{name}"))
            for name in ("max_hosts", "max_findings", "max_corrections")
            if name in values
        }
        return Correction(
            allow=tuple(self.rule(self.mapping(one, "correct.allow", FIELDS), "correct.allow") for one in self.items(values, "allow")),
            severities=severities,
            days=days,
            begin=self.time(window.get("from", "00:00")),
            end=self.time(window.get("to", "00:00")),
            **limits,
        )

    def channel(self, content: Any) -> Mapping[str, Any]:
        values = self.mapping(
            content, "notify", ("name", "webhook", "webhook_env", "webhook_file", "format", "mail", "sns", "min_severity")
        )
        ways = [name for name in ("webhook", "webhook_env", "webhook_file", "mail", "sns") if values.get(name)]
        self.require(len(ways) == 1, "notify", "each entry has one of webhook, webhook_env, webhook_file, mail, sns")
        self.require(values.get("format", "generic") in ("generic", "slack"), "notify", "format is generic or slack")
        self.require(values.get("min_severity", "low") in SEVERITIES, "notify", f"min_severity is one of {', '.join(SEVERITIES)}")
        if "mail" in values:
            mail = self.mapping(values["mail"], "notify.mail", ("to", "from", "host", "port"))
            self.require(bool(mail.get("to") and mail.get("from")), "notify.mail", "it needs to and from")
        return values

    # --- small parts --------------------------------------------------------------------------------------------------

    def mapping(self, content: Any, where: str, known: tuple[str, ...]) -> dict[str, Any]:
        self.require(isinstance(content, Mapping), where, "it is no mapping")
        unknown = [str(name) for name in content if name not in known]
        self.require(not unknown, where, f"{', '.join(unknown)} is not known; there are {', '.join(known)}")
        return dict(content)

    def items(self, values: Mapping[str, Any], name: str) -> list[Any]:
        content = values.get(name) or []
        self.require(isinstance(content, list), name, "it is no list")
        return list(content)

    def rule(self, values: Mapping[str, Any], where: str) -> Rule:
        globs = {name: values[name] for name in FIELDS if name in values}
        self.require(all(isinstance(glob, str) and glob for glob in globs.values()), where, "globs are texts")
        self.require(globs.get("kind", "*") in (*KINDS, "*"), where, f"kind is one of {', '.join(KINDS)}")
        return Rule(globs)

    def texts(self, content: Any, where: str) -> tuple[str, ...]:
        self.require(isinstance(content, list) and all(isinstance(one, str) for one in content), where, "it is no list of texts")
        return tuple(content)

    def number(self, content: Any, where: str) -> float:
        self.require(isinstance(content, (int, float)) and not isinstance(content, bool) and content > 0, where, "it is no number above 0")
        return float(content)

    def date(self, content: Any, where: str) -> datetime.date:
        try:
            return datetime.date.fromisoformat(str(content)[:10])
        except ValueError:
            raise self.error(where, f"expires is {content!r}, which is no date like 2027-01-31") from None

    def time(self, content: Any) -> datetime.time:
        if isinstance(content, int) and 0 <= content < 1440:  # YAML 1.1 reads 22:00 as 1320
            return datetime.time(content // 60, content % 60)
        try:
            return datetime.time.fromisoformat(str(content))
        except ValueError:
            raise self.error("correct.window", f"{content!r} is no time like '22:00'") from None

    def require(self, fine: bool, where: str, what: str) -> None:
        if not fine:
            raise self.error(where, what)

    def error(self, where: str, what: str) -> CannotTell:
        return CannotTell("policy", f"{self.where}: {where}: {what}.")


_SETTINGS = ("fail_on", "allow_empty_plays", "max_age_hours")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

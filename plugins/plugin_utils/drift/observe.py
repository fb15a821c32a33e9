# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a callback is given about a task to findings. Reads results; never the arguments of a task."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .attributes import Difference, Shower, from_diff, from_plan, from_service
from .declared import tokens_of

#: Actions whose `changed` says nothing about a system.
NOT_A_STATE = frozenset(
    ("add_host", "group_by", "debug", "set_fact", "set_stats", "include_vars", "include_tasks", "include_role", "import_tasks", "meta")
)

#: Actions that tell the state of a unit as systemd does.
SERVICES = frozenset(("service", "systemd", "systemd_service"))

#: Why a task that was skipped cannot tell whether it would change anything: the beginnings of what ansible-core 2.18 to 2.21 say.
UNKNOWN_REASONS = (
    re.compile(r"Command would have run if not in check mode"),
    re.compile(r"remote module \(.*\) does not support check mode"),
    re.compile(r"This action \(.*\) does not support check mode"),
    re.compile(r"Check mode is not supported for this task"),
    re.compile(r"check mode and async cannot be used on same task"),
    re.compile(r"async is not supported .*check mode"),
)

#: Where a result, or the options that a module reports of itself, say what it is about; the first that is there.
NAMES = ("path", "dest", "name", "unit", "key", "dev", "device", "repo", "url", "chain", "service", "user", "group", "pkg")

#: What `change` is of something that no task would change, because nobody declares it.
UNDECLARED = "undeclared"

_COLLECTION = re.compile(r".*/ansible_collections/(?=[^/]+/[^/]+/)")


@dataclass(frozen=True)
class Source:
    """Where a task stands: what a finding's fingerprint and its location are made of."""

    task: str
    action: str
    file: str
    line: int
    role: str
    handler: bool

    @classmethod
    def of(cls, task: Any, root: Path, name: str) -> Source:
        """Of Ansible's task object. Files are told relative to `root`, or to where the collection is installed."""
        path, _sep, line = str(task.get_path() or "").rpartition(":")
        role = getattr(task, "_role", None)
        action = str(task.action).removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
        return cls(
            task=name,
            action=action,
            file=relative_file(path, root),
            line=int(line) if line.isdigit() else 1,
            role=str(role.get_name()) if role else "",
            handler=type(task).__name__ == "Handler",
        )


def in_collection(path: str) -> bool:
    """Whether it is installed as a part of a collection."""
    return bool(_COLLECTION.match(f"{path}/"))


def relative_file(path: str, root: Path) -> str:
    """The same for everybody who has the same code, wherever it is checked out."""
    if _COLLECTION.match(path):
        return _COLLECTION.sub("", path)
    try:
        return str(Path(path).relative_to(root))
    except ValueError:
        return path


def fingerprint(host: str, source: Source, resource: str, item: str) -> str:
    """Stable from run to run and from checkout to checkout; a line that moves does not matter."""
    parts = [host, source.role, source.file, source.task, source.action, resource, item]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Observer:
    """Turns results into findings as JSON-ready data, without a secret in them."""

    shower: Shower

    def changed(self, host: str, source: Source, fields: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The findings of a task (or one item of its loop) that changed or would change something."""
        base = self._base(host, source, fields, result)
        kind = "consequence" if source.handler else "drift" if fields.get("check_mode") else "executed"
        for difference in self._differences(source, result, base["resource"]):
            resource = self.text(difference.name) or base["resource"]
            yield {
                **base,
                "kind": kind,
                "resource": resource,
                "resource_kind": difference.kind or source.action.rsplit(".", 1)[-1],
                "change": difference.action,
                "attributes": difference.attributes,
                "fingerprint": fingerprint(host, source, resource, base["item"]),
                "tokens": tokens_of(result, source.action, difference, self.shower.redactor),
                **({"censored": True} if "censored" in result else {}),
            }

    def undeclared(self, host: str, source: Source, fields: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What a module of this collection found at what is declared, and nobody declares. No task brings that back, people do."""
        found = result.get("undeclared")
        if isinstance(found, list) and found:
            for finding in self.changed(host, source, fields, {**result, "plan": found}):
                yield {**finding, "kind": "drift", "change": UNDECLARED, "tokens": {}}

    def hidden(self, host: str, source: Source, fields: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What a task shows as different and does not call a change (`changed_when: false`)."""
        if result.get("diff") and source.action not in NOT_A_STATE:
            for finding in self.changed(host, source, fields, result):
                if finding["attributes"]:
                    yield {**finding, "kind": "hidden"}

    def other(self, kind: str, host: str, source: Source, fields: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
        """A finding that is no difference: kind `unknown`, `error` or `unreachable`, with what Ansible says about it."""
        base = self._base(host, source, fields, result)
        return {
            **base,
            "kind": kind,
            "resource_kind": source.action.rsplit(".", 1)[-1],
            "change": "",
            "attributes": [],
            "message": self.text(str(result.get("msg") or result.get("skip_reason") or "")),
            "fingerprint": fingerprint(host, source, base["resource"], base["item"]),
        }

    def cannot_tell(self, source: Source, result: Mapping[str, Any]) -> bool:
        """Whether a task that was skipped was skipped because check mode cannot say what it would do."""
        said = str(result.get("msg") or result.get("skip_reason") or "")
        if not said and "false_condition" not in result:
            return source.action == "raw"
        return any(pattern.match(said) for pattern in UNKNOWN_REASONS)

    def _base(self, host: str, source: Source, fields: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
        delegated = fields.get("delegate_to")
        item = self.item(result)
        return {
            "type": "finding",
            "host": host,
            "task": self.text(source.task),
            "action": source.action,
            "file": source.file,
            "line": source.line,
            "role": source.role,
            "tags": sorted(str(tag) for tag in fields.get("tags") or []),
            "item": item,
            "resource": self._resource(source, result),
            **({"delegated_to": str(delegated)} if delegated and "{{" not in str(delegated) else {}),
            **({"run_once": True} if fields.get("run_once") is True else {}),
        }

    def _differences(self, source: Source, result: Mapping[str, Any], resource: str) -> list[Difference]:
        plan = result.get("plan")
        if isinstance(plan, list) and plan and all(isinstance(one, Mapping) and {"kind", "name", "action"} <= one.keys() for one in plan):
            return list(from_plan(plan, self.shower))
        difference = from_diff(result.get("diff"), resource, self.shower)
        if difference.attributes or source.action not in SERVICES:
            return [difference]
        return [replace(difference, attributes=from_service(result, resource, self.shower))]

    def _resource(self, source: Source, result: Mapping[str, Any]) -> str:
        """What it is about: never more than one name from a list of names that are no secrets."""
        if "censored" in result:
            return self.text(source.task)
        invocation = result.get("invocation")
        options = invocation.get("module_args", {}) if isinstance(invocation, Mapping) else {}
        for values in (result, options if isinstance(options, Mapping) else {}):
            for name in NAMES:
                value = values.get(name)
                if isinstance(value, str) and value and "\n" not in value:
                    return self.text(value)
                if name in ("name", "pkg") and isinstance(value, list) and value:
                    return self.text(", ".join(str(one) for one in value[:5]))
        return self.text(source.task)

    def item(self, result: Mapping[str, Any]) -> str:
        """The label of a loop's item; of an item that is a mapping without a label of its own, what names it."""
        label = result.get("_ansible_item_label", result.get("item"))
        if label is None or "censored" in result:
            return self.shower.redactor.hash(str(label)) if label is not None else ""
        if isinstance(label, Mapping):
            named = [str(label[name]) for name in NAMES if isinstance(label.get(name), str)]
            return self.text(named[0]) if named else self.shower.redactor.hash(label)
        return self.text(str(label))

    def text(self, text: str) -> str:
        """A name or a message as it may be shown."""
        return self.shower.redactor.text(text, 300)

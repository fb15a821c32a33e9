# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a task says would change to attributes: path, expected, actual. Texts are counted, not shown, unless allowed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .redact import LONGEST, Redactor

#: How many attributes of one finding are kept, and how many lines of one text.
MOST_ATTRIBUTES, MOST_LINES = 100, 40


#: {state that a service is declared to have: whether its unit is then active}
_RUNS = {"started": True, "stopped": False}


@dataclass(frozen=True)
class Shower:
    """Makes attributes ready to be shown. `texts`: globs of the paths of files whose lines may be shown."""

    redactor: Redactor
    texts: tuple[str, ...] = ()

    def attribute(self, path: str, expected: Any, actual: Any, resource: str) -> dict[str, Any]:
        """One attribute as data. A text of several lines, and the content of a file, is shown only where that is allowed."""
        if _is_text(path, expected, actual):
            return self.content(path, _text(expected), _text(actual), resource)
        leaf = path.rsplit(".", 1)[-1]
        shown = {"expected": self._cut(self.redactor.value(expected, leaf)), "actual": self._cut(self.redactor.value(actual, leaf))}
        hidden = {"redacted": True} if shown != {"expected": expected, "actual": actual} else {}
        return {"path": path, **shown, **hidden, "hash": self.redactor.hash([expected, actual])}

    def content(self, path: str, expected: str, actual: str, resource: str) -> dict[str, Any]:
        """A text as an attribute: which lines differ where `texts` allows it, else how many, and hashes of both."""
        attribute: dict[str, Any] = {"path": path, "hash": self.redactor.hash([expected, actual])}
        if any(fnmatchcase(resource, glob) for glob in self.texts):
            # secrets of several lines are hidden before lines are picked
            safe = [self.redactor.text(text, len(text) + LONGEST) for text in (actual, expected)]
            removed, added = _lines_that_differ(*safe)
            return {**attribute, "expected": self._shown(added), "actual": self._shown(removed)}
        removed, added = _lines_that_differ(actual, expected)
        return {
            **attribute,
            "expected": self._described(expected, len(added), "missing or different"),
            "actual": self._described(actual, len(removed), "not expected"),
            "redacted": True,
        }

    def _shown(self, lines: Sequence[str]) -> str:
        more = [f"… ({len(lines) - MOST_LINES} more lines)"] if len(lines) > MOST_LINES else []
        return self.redactor.text("\n".join([*lines[:MOST_LINES], *more]))

    def _described(self, text: str, count: int, what: str) -> str:
        return f"text of {len(text.splitlines())} lines, {count} {what} ({self.redactor.hash(text)})" if text else "(nothing)"

    def _cut(self, value: Any) -> Any:
        spelt = json.dumps(value, default=str, ensure_ascii=False)
        return value if len(spelt) <= LONGEST + 200 else f"{spelt[:LONGEST]}… ({len(spelt) - LONGEST} more characters)"


@dataclass(frozen=True)
class Difference:
    """What one thing is and should be: attributes ready to be shown, and the whole text where there is one."""

    kind: str = ""
    name: str = ""
    action: str = "update"
    attributes: list[dict[str, Any]] = field(default_factory=list)
    text: str | None = None


def from_plan(plan: Sequence[Any], shower: Shower) -> Iterator[Difference]:
    """One difference for each change in the `plan` of this collection's modules."""
    for change in plan:
        name = f"{change['kind']} {change['name']}"
        attributes = [
            shower.attribute(path, after, before, str(change["name"]))
            for one in change.get("attributes", [])
            for path, after, before in _leaves(str(one["name"]), one.get("after"), one.get("before"))
        ]
        yield Difference(str(change["kind"]), name, str(change["action"]), attributes[:MOST_ATTRIBUTES])


def from_diff(diff: Any, resource: str, shower: Shower) -> Difference:
    """The difference that a stock module's `diff` tells, in any of the shapes that there are."""
    attributes: list[dict[str, Any]] = []
    whole: str | None = None
    for entry in diff if isinstance(diff, (list, tuple)) else [diff]:
        if not isinstance(entry, Mapping):
            continue
        attributes += _entry(entry, resource, shower)
        if isinstance(entry.get("after"), str) and whole is None:
            whole = entry["after"]
    return Difference(attributes=attributes[:MOST_ATTRIBUTES], text=whole)


def from_service(result: Mapping[str, Any], resource: str, shower: Shower) -> list[dict[str, Any]]:
    """What systemd_service says otherwise than by a diff, which it has none of: the unit's state and whether it starts at boot."""
    status = result.get("status")
    if not isinstance(status, Mapping):
        return []
    found = []
    running, wanted = status.get("ActiveState"), result.get("state")
    if wanted in _RUNS and running and (running in ("active", "activating")) is not _RUNS[wanted]:
        found.append(shower.attribute("state", wanted, str(running), resource))
    there, enabled = status.get("UnitFileState"), result.get("enabled")
    if isinstance(enabled, bool) and there and str(there).startswith("enabled") is not enabled:
        found.append(shower.attribute("enabled", enabled, str(there), resource))
    return found


def _entry(entry: Mapping[str, Any], resource: str, shower: Shower) -> list[dict[str, Any]]:
    for mark, text in (("src_binary", "binary content"), ("dst_binary", "binary content"), ("dst_larger", "too large to compare")):
        if entry.get(mark):
            return [{"path": "content", "expected": text, "actual": "different", "redacted": True, "hash": ""}]
    before, after = _parsed(entry.get("before")), _parsed(entry.get("after"))
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        sides = [side if isinstance(side, Mapping) else {} for side in (after, before)]
        return [shower.attribute(*leaf, resource) for leaf in _leaves("", *sides)]
    if before is not None or after is not None:
        return [] if before == after else [shower.content("content", _text(after), _text(before), resource)]
    prepared = entry.get("prepared")
    return [shower.content("content", str(prepared), "", resource)] if prepared and str(prepared).strip() else []


def _parsed(side: Any) -> Any:
    """Modules of AWS give their attributes as JSON texts; those are read."""
    if isinstance(side, str) and side[:1] == "{":
        try:
            return json.loads(side)
        except ValueError:
            return side
    return side


def _leaves(path: str, expected: Any, actual: Any) -> Iterator[tuple[str, Any, Any]]:
    """(path, expected, actual) of each leaf that differs; lists count as one leaf."""
    if expected == actual:
        return
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in sorted({*expected, *actual}, key=str):
            yield from _leaves(f"{path}.{key}" if path else str(key), expected.get(key), actual.get(key))
    else:
        yield path or "value", expected, actual


def _is_text(path: str, *values: Any) -> bool:
    leaf = path.rsplit(".", 1)[-1]
    return any(isinstance(value, str) and ("\n" in value or leaf in ("content", "path_content")) for value in values)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)


def _lines_that_differ(actual: str, expected: str) -> tuple[list[str], list[str]]:
    """(lines only in actual, lines only in expected)."""
    left, right = actual.splitlines(), expected.splitlines()
    if len(left) + len(right) > 4000:  # the matcher is quadratic; a set of lines will do
        there, wanted = set(left), set(right)
        return [line for line in left if line not in wanted], [line for line in right if line not in there]
    removed: list[str] = []
    added: list[str] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag != "equal":
            removed += left[i1:i2]
            added += right[j1:j2]
    return removed, added

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan is data: what would change, from what to what, why, and by which steps. Pure, standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

#: What can happen to a resource, in the order in which a summary names it.
ACTIONS = ("create", "update", "restart", "replace", "delete", "none")

#: How an unknown value is shown; the words are Terraform's, which people know.
KNOWN_AFTER_APPLY = "(known after apply)"


class Unknown:
    """A value that only the server (or the machine) can decide. Equal to nothing but itself."""

    def __repr__(self) -> str:
        return KNOWN_AFTER_APPLY

    def __copy__(self) -> "Unknown":
        return self

    def __deepcopy__(self, memo: Dict[int, Any]) -> "Unknown":
        return self


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Ref:
    """An attribute of another resource, which may not exist yet: `Ref("instance", "web-1", "id")`."""

    kind: str
    name: str
    attribute: str = "id"

    @property
    def address(self) -> Tuple[str, str]:
        return (self.kind, self.name)


@dataclass(frozen=True)
class Step:
    """One effect: `verb` is the API's own operation name (or a command's), `params` its own arguments."""

    verb: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What happens to one resource. `before`/`after` hold the attributes shown; None stands for "is not there"."""

    kind: str
    name: str
    action: str
    before: Optional[Mapping[str, Any]] = None
    after: Optional[Mapping[str, Any]] = None
    reasons: Tuple[str, ...] = ()
    steps: Tuple[Step, ...] = ()
    #: Addresses (kind, name) whose changes must be through before this one starts.
    requires: Tuple[Tuple[str, str], ...] = ()
    #: What is not changed but should be known, in whole sentences.
    notes: Tuple[str, ...] = ()

    @property
    def address(self) -> Tuple[str, str]:
        return (self.kind, self.name)

    @property
    def changed(self) -> bool:
        return self.action != "none"

    def attributes(self) -> List[Dict[str, Any]]:
        """The attributes that differ, each as {name, before, after}, in order of name."""
        before, after = self.before or {}, self.after or {}
        names = sorted(set(before) | set(after))
        return [
            {"name": name, "before": shown(before.get(name)), "after": shown(after.get(name))}
            for name in names
            if before.get(name) != after.get(name)
        ]

    def to_dict(self) -> Dict[str, Any]:
        """The change as JSON-ready data, for the `plan` in a result."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "reasons": list(self.reasons),
            "attributes": self.attributes(),
            "steps": [step.verb for step in self.steps],
        }

    def to_diff(self) -> Dict[str, Any]:
        """The change as one entry of Ansible's diff."""
        header = f"{self.kind} {self.name}"
        return {
            "before_header": header,
            "after_header": f"{header} ({self.action})",
            "before": shown(dict(self.before)) if self.before else "",
            "after": shown(dict(self.after)) if self.after else "",
        }


@dataclass(frozen=True)
class Plan:
    """All changes of one run, in an order in which they could be applied one by one."""

    changes: Tuple[Change, ...] = ()

    @property
    def changed(self) -> bool:
        return any(change.changed for change in self.changes)

    @property
    def effective(self) -> Tuple[Change, ...]:
        """The changes that do something."""
        return tuple(change for change in self.changes if change.changed)

    @property
    def undeclared(self) -> Tuple[Change, ...]:
        """What is there, belongs to no declaration, and is left alone."""
        return tuple(change for change in self.changes if not change.changed and change.before is not None and change.after is None)

    def summary(self) -> str:
        """One line for people: `Plan: 3 to create, 1 to update.`"""
        counts = {action: sum(c.action == action for c in self.changes) for action in ACTIONS[:-1]}
        parts = [f"{count} to {action}" for action, count in counts.items() if count]
        return f"Plan: {', '.join(parts)}." if parts else "Nothing to change."

    def to_result(self) -> Dict[str, Any]:
        """`changed`, `plan`, `summary`, `notes` and `diff` of a module's result."""
        return {
            "changed": self.changed,
            "summary": self.summary(),
            "plan": [change.to_dict() for change in self.effective],
            "notes": [f"{change.kind} {change.name}: {note}" for change in self.changes for note in change.notes],
            "diff": [change.to_diff() for change in self.effective],
        }


def shown(value: Any) -> Any:
    """`value` as JSON-ready data: unknown values and references read "(known after apply)"."""
    if isinstance(value, (Unknown, Ref)):
        return KNOWN_AFTER_APPLY
    if isinstance(value, Mapping):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value


def resolve(value: Any, known: Callable[[Ref], Any]) -> Any:
    """`value` with every Ref in it replaced by `known(ref)`; lists, tuples and mappings are copied."""
    if isinstance(value, Ref):
        return known(value)
    if isinstance(value, Mapping):
        return {key: resolve(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, known) for item in value]
    return value

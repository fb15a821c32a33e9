# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every error that this collection raises on purpose.

SteadfastError
├── InvalidInput    the declaration cannot be meant as it is written
├── NotFound        something that the declaration needs is not there
├── Ambiguous       more than one thing matches where one is meant
├── Refused         it could be done, but would lose data or was not allowed
├── Busy            somebody holds what has to be changed
├── TimedOut        it did not get there in the time given
├── NotConverged    applied, read back, and still different
├── PartlyApplied   some changes failed; what was done, and what was not, is in `details`
├── CallFailed      the AWS API said no, or did not answer
└── CommandFailed   a program on the machine ended with an error

One boundary (engine/definition.py) turns them into the failure of a task; nothing below it calls fail_json.
"""

from __future__ import annotations

from typing import Any, Dict


class SteadfastError(Exception):
    """An error that a user can act on: what was wanted, what was found, why it stops, what to do."""

    def __init__(
        self,
        why: str,
        *,
        resource: str = "",
        wanted: str = "",
        found: str = "",
        do: str = "",
        code: str = "",
        operation: str = "",
    ) -> None:
        self.why = why
        self.resource = resource
        self.wanted = wanted
        self.found = found
        self.do = do
        self.code = code or type(self).__name__
        self.operation = operation
        #: More for the result of the task, e.g. what was done before it failed.
        self.details: Dict[str, Any] = {}
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line: `resource: why (wanted …, found …). What to do.`"""
        head = f"{self.resource}: {self.why}" if self.resource else self.why
        facts = [f"wanted {self.wanted}"] if self.wanted else []
        facts += [f"found {self.found}"] if self.found else []
        text = head.rstrip(".") + (f" ({', '.join(facts)})" if facts else "") + "."
        return f"{text} {self.do}".rstrip() if self.do else text

    def to_dict(self) -> Dict[str, Any]:
        """The error as data, for playbooks that decide by it."""
        names = ("code", "operation", "resource", "wanted", "found", "why", "do")
        return {name: getattr(self, name) for name in names}


class InvalidInput(SteadfastError):
    """The declaration cannot be meant as it is written."""


class NotFound(SteadfastError):
    """Something that the declaration needs is not there."""


class Ambiguous(SteadfastError):
    """More than one thing matches where one is meant."""


class Refused(SteadfastError):
    """It could be done, but it would lose data, or was not allowed."""


class Busy(SteadfastError):
    """Somebody holds what has to be changed."""


class TimedOut(SteadfastError):
    """It did not get there in the time given; `found` says the last state seen."""


class NotConverged(SteadfastError):
    """Applied and read back, and still different."""


class PartlyApplied(SteadfastError):
    """Some changes failed; `details` says what was done and what was not."""


class CallFailed(SteadfastError):
    """The AWS API said no, or did not answer; `code` and `operation` are the API's own."""


class CommandFailed(SteadfastError):
    """A program on the machine ended with an error."""

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hashes of what is declared, by which drift (the system moved) is told from pending (the code moved)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from .attributes import Difference
from .redact import Redactor

#: Actions that give a file its content: what they declare is the content, and their options are another module's.
CONTENT = frozenset(("copy", "template", "assemble"))

#: Options that say how something is done, not what is declared.
NOT_DECLARED = frozenset(
    (
        "access_key",
        "secret_key",
        "session_token",
        "profile",
        "region",
        "endpoint_url",
        "validate_certs",
        "ca_bundle",
        "wait",
        "wait_timeout",
    )
)

#: What is declared as a part of something else.
OWNERS = {"volume": "instance", "elastic_ip": "instance"}


def tokens_of(result: Mapping[str, Any], action: str, difference: Difference, redactor: Redactor) -> dict[str, str]:
    """{part: hash} of the part of a task's declaration that a difference is about. Empty where the result does not tell."""
    if action in CONTENT:
        return (
            {"content": redactor.hash(hashlib.sha1(difference.text.encode(), usedforsecurity=False).hexdigest())} if difference.text else {}
        )
    everything = all_tokens(result, action, redactor)
    if not difference.kind:
        return {"options": everything["options"]} if set(everything) == {"options"} else {}
    return {part: everything[part] for part in _parts(difference, everything)}


def all_tokens(result: Mapping[str, Any], action: str, redactor: Redactor) -> dict[str, str]:
    """{part: hash} of all that a task declares: its plain options together, and each named member of its lists alone."""
    if action in CONTENT:
        checksum = result.get("checksum")
        return {"content": redactor.hash(checksum)} if isinstance(checksum, str) else {}
    invocation = result.get("invocation")
    options = invocation.get("module_args") if isinstance(invocation, Mapping) else None
    if not isinstance(options, Mapping):
        return {}
    plain: dict[str, Any] = {}
    tokens: dict[str, str] = {}
    for name, value in options.items():
        if str(name).startswith("_") or name in NOT_DECLARED or value is None:
            continue
        if isinstance(value, list) and value and all(isinstance(one, Mapping) and isinstance(one.get("name"), str) for one in value):
            tokens.update({f"{name}/{one['name']}": redactor.hash(one) for one in value})
        else:
            plain[str(name)] = value
    return {"options": redactor.hash(plain), **tokens}


def _parts(difference: Difference, tokens: Mapping[str, str]) -> list[str]:
    """The parts that declare what the difference is about: the plain options, and the member of a list that owns it."""
    name = difference.name.removeprefix(f"{difference.kind} ")
    members = [part for part in tokens if "/" in part]
    owners = [part for part in members if _owns(part.split("/", 1)[1], name)]
    kinds = [part for part in owners if part.startswith(f"{OWNERS.get(difference.kind, difference.kind)}s/")]
    return ["options", *(kinds or owners)]


def _owns(member: str, name: str) -> bool:
    """`web` owns `web`, `web-1`, `web/images` and `web-1/images`."""
    return name == member or name.startswith((f"{member}/", f"{member}-"))


def is_pending(tokens: Mapping[str, str], applied: Mapping[str, str] | None, known: bool) -> bool:
    """Whether what is declared differs from what was last applied. Where that is not certain, it counts as drift.

    `applied`: what the task declared when it was last applied, None if it never was. `known`: whether an apply of the whole
    playbook on this host was ever recorded, so that a task that was not in it is new.
    """
    if applied is None:
        return known
    comparable = [part for part in tokens if part in applied]
    if any(applied[part] != tokens[part] for part in comparable):
        return True
    return bool(applied) and len(comparable) < len(tokens)

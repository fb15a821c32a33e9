# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of Ansible's own objects: the hosts that a play is about, and the values that came out of a vault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .redact import Redactor

_VAULT_TYPES = ("EncryptedString", "AnsibleVaultEncryptedUnicode")


def expected_hosts(play: Any) -> list[str]:
    """The names of the hosts of this play (of this batch of it, with `serial`)."""
    inventory = play.get_variable_manager()._inventory
    return [host.get_name() for host in inventory.get_hosts(play.hosts)] if inventory else []


class Redaction:
    """Learns the secrets that Ansible has read from vaults, so that they can be hidden wherever they turn up."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._files: Mapping[str, Any] = {}

    def look(self, play: Any, redactor: Redactor) -> None:
        """Learn from the inventory, from extra variables, from the play, and from every file read up to now."""
        manager = play.get_variable_manager()
        loader = getattr(manager, "_loader", None) or getattr(play, "_loader", None)
        self._files = getattr(loader, "_FILE_CACHE", {})
        self.look_at_files(redactor)
        inventory = getattr(manager, "_inventory", None)
        if inventory is not None:
            for owner in (*inventory.groups.values(), *inventory.hosts.values()):
                redactor.learn(vaulted(owner.vars))
        redactor.learn(vaulted(getattr(manager, "extra_vars", {})))
        redactor.learn(vaulted(getattr(play, "vars", {})))

    def look_at_files(self, redactor: Redactor) -> None:
        """Learn from the files that were read since the last time; variables of hosts are read when they are first needed."""
        if len(self._files) != len(self._seen):
            redactor.learn(self._from_files(self._files))

    def _from_files(self, cache: Mapping[str, Any]) -> Iterator[str]:
        for name, content in list(cache.items()):
            if name not in self._seen:
                self._seen.add(name)
                yield from scalars(content) if is_vault(name) else vaulted(content)


def is_vault(name: str) -> bool:
    """Whether a whole file is encrypted."""
    try:
        with Path(name).open("rb") as stream:
            return stream.read(14) == b"$ANSIBLE_VAULT"
    except (OSError, ValueError):
        return False


def vaulted(value: Any) -> Iterator[str]:
    """The plain texts of everything in `value` that is encrypted by itself (`!vault`)."""
    for leaf in _leaves(value):
        if type(leaf).__name__ in _VAULT_TYPES or _has_vault_tag(leaf):
            try:
                yield str(leaf)
            except Exception:  # noqa: S112 - without its password it cannot get into a result either
                continue


def scalars(value: Any) -> Iterator[str]:
    """Every text and number in `value`."""
    yield from (str(leaf) for leaf in _leaves(value) if leaf is not None and not isinstance(leaf, bool))


def _leaves(value: Any) -> Iterator[Any]:
    pending: list[Any] = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, Mapping):
            pending.extend(one.values())
        elif isinstance(one, (list, tuple, set)):
            pending.extend(_items(one))
        else:
            yield one


def _items(values: Iterable[Any]) -> list[Any]:
    return list(values)


def _has_vault_tag(leaf: Any) -> bool:
    """ansible-core 2.19 and newer: a value that was decrypted remembers it."""
    return any(type(tag).__name__ == "VaultedValue" for tag in getattr(leaf, "_ansible_tags_mapping", {}).values())

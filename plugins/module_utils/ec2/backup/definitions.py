# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots and images as targets of the engine, and their modules as data."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Callable, Dict, List, Mapping, Optional

from ...aws.client import Client
from ...aws.module import with_connection
from ...aws.role import connect
from ...engine.definition import ModuleDefinition
from ...engine.execute import Limits, execute
from ...engine.plan import Plan, Ref, Unknown, shown
from ...engine.reconcile import Outcome, Target, reconcile
from ..describe import at_once, describe
from ..info import SELECTION, definition
from ..look_up import selection
from . import plan as plan_words
from . import read, state
from .performer import BackupPerformer
from .state import IMAGE, SNAPSHOT, Backup, World

Options = Mapping[str, Any]

_COPY = {"region": {"type": "str"}}
_KEEP = {"newest": {"type": "int"}, "days": {"type": "int"}}
_COMMON: Dict[str, Any] = {
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str"},
    "encrypted": {"type": "bool"},
    "kms_key_id": {"type": "str", "no_log": False},
    "copy_tags": {"type": "bool", "default": False},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
    "purge_tags": {"type": "bool", "default": True},
    "share_with": {"type": "list", "elements": "str"},
    "series": {"type": "str"},
    "keep": {"type": "dict", "options": _KEEP},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 3600},
}
_SNAPSHOT = {
    **_COMMON,
    "volume": {"type": "str", "aliases": ["volume_id"]},
    "copy_from": {"type": "dict", "options": {"snapshot": {"type": "str", "required": True}, **_COPY}},
}
_IMAGE = {
    **_COMMON,
    "instance": {"type": "str", "aliases": ["instance_id"]},
    "copy_from": {"type": "dict", "options": {"image": {"type": "str", "required": True}, **_COPY}},
    "reboot": {"type": "bool", "default": False},
    "delete_snapshots": {"type": "bool", "default": True, "aliases": ["delete_snapshot"]},
}
_OWNERS = {"type": "list", "elements": "str", "default": ["self"], "aliases": ["owner"]}
_INFO: Dict[str, Any] = {
    **{name: option for name, option in SELECTION.items() if name != "fleet"},
    "series": {"type": "str"},
    "owners": _OWNERS,
    "sharing": {"type": "bool", "default": False},
}


class BackupTarget(Target):
    """One declared snapshot or image, with its series."""

    #: What was just made may become visible late; a difference is believed only after these seconds.
    settle = (0.5, 1.0, 2.0, 4.0)

    def __init__(self, backup: Backup, client: Client, elsewhere: read.Elsewhere, limits: Limits) -> None:
        self._backup = backup
        self._client = client
        self._elsewhere = elsewhere
        self._limits = limits

    def read(self) -> World:
        """The actual state of everything concerned."""
        return read.read(self._client, self._elsewhere, self._backup)

    def plan(self, actual: World) -> Plan:
        """What has to change; refuses here what cannot or must not be done."""
        return plan_words.plan(self._backup, actual)

    def apply(self, plan: Plan, actual: World) -> None:
        """Carry out the plan."""
        execute(plan, BackupPerformer(self._client, self._backup.wait), self._limits)


def _run(kind: str) -> Callable[[Options, bool], Dict[str, Any]]:
    def run(params: Options, check_mode: bool) -> Dict[str, Any]:
        backup = state.declared(kind, params)
        client = connect(params)

        @lru_cache(maxsize=None)  # noqa: UP033 - functools.cache is younger than Python 3.8
        def elsewhere(region: Optional[str]) -> Client:
            return client if region in (None, client.region) else Client(replace(client.connection, region=region), session=client.session)

        limits = Limits(wait_timeout=float(params["wait_timeout"]))
        outcome = reconcile(BackupTarget(backup, client, elsewhere, limits), check_mode)
        found: Dict[str, Any] = {kind: _view(backup, outcome)}
        if backup.series:
            found["series"] = _series(outcome)
        if elsewhere(backup.copy_region) is not client:
            client.include(elsewhere(backup.copy_region))
        return {**outcome.plan.to_result(), **found, "api": client.api()}

    return run


def _view(backup: Backup, outcome: Outcome) -> Optional[Dict[str, Any]]:
    """It as it is; as planned where only check mode knows it; None where it is absent."""
    if backup.name is None or backup.state == "absent":
        return None
    if outcome.actual.named:
        return {**outcome.actual.named[0], "planned": False}
    after = next(change.after or {} for change in outcome.plan.changes if change.name == backup.name)
    return {**{name: None if isinstance(value, (Unknown, Ref)) else shown(value) for name, value in after.items()}, "planned": True}


def _series(outcome: Outcome) -> List[Dict[str, Any]]:
    """What is left of the series, the newest first."""
    return sorted((dict(fact) for fact in outcome.actual.series), key=lambda fact: (str(fact["created"]), str(fact["id"])), reverse=True)


def _info(kind: str) -> Callable[[Client, Options], Dict[str, Any]]:
    def answer(client: Client, options: Options) -> Dict[str, Any]:
        tags = {**(options["tags"] or {}), **({state.SERIES: options["series"]} if options["series"] else {})}
        filters = selection(f"{kind}s", {**options, "tags": tags})[0]
        raws = describe(client, f"{kind}s", filters, **{"OwnerIds" if kind == SNAPSHOT else "Owners": options["owners"]})
        found = read.facts_of(kind, raws)
        if options["sharing"]:
            shared = at_once({str(fact["id"]): _sharing(client, kind, str(fact["id"])) for fact in found})
            found = [{**fact, "shared_with": read.accounts(shared[str(fact["id"])])} for fact in found]
        ordered = sorted(found, key=lambda fact: (str(fact["created"]), str(fact["id"])), reverse=True)
        return {f"{kind}s": [dict(fact) for fact in ordered]}

    return answer


def _sharing(client: Client, kind: str, identity: str) -> Callable[[], List[Dict[str, Any]]]:
    return lambda: read.shared_with(client, kind, identity)


_RULES = {"required_one_of": [("name", "series")]}
SNAPSHOT_MODULE = ModuleDefinition(with_connection(_SNAPSHOT), _run(SNAPSHOT), _RULES)
IMAGE_MODULE = ModuleDefinition(with_connection(_IMAGE), _run(IMAGE), _RULES)
SNAPSHOT_INFO = definition(_INFO, _info(SNAPSHOT))
IMAGE_INFO = definition(_INFO, _info(IMAGE))

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules that only look: what they are asked, and what they answer, in the words of the modules that change things."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping

from ..aws.client import Client
from ..aws.module import with_connection
from ..aws.role import connect
from ..engine.definition import ModuleDefinition
from ..engine.errors import InvalidInput
from . import facts, look_up, rule_ids, security_group, to_declaration
from .context import Context
from .declaration import Declaration
from .describe import describe
from .look_up import selection
from .texts import refuse_half_characters
from .world import World

Options = Mapping[str, Any]
Answer = Callable[[Client, Options], Dict[str, Any]]

_IDS = {"type": "list", "elements": "str"}
#: The options of a look-up, as the fragment `selection` documents them.
SELECTION: Mapping[str, Any] = {
    "ids": _IDS,
    "names": {"type": "list", "elements": "str", "aliases": ["name"]},
    "fleet": {"type": "str"},
    "tags": {"type": "dict"},
    "filters": {"type": "dict"},
}
_FLEET_INFO = {
    "name": {"type": "str", "required": True},
    "ids": {**_IDS, "aliases": ["instance_ids"]},
    "tags": {"type": "dict"},
    "filters": {"type": "dict"},
    "complete": {"type": "bool", "default": False},
    "details": {"type": "bool", "default": False},
    "parts": {"type": "list", "elements": "str", "choices": list(to_declaration.PARTS), "default": list(to_declaration.PARTS)},
}


def definition(options: Mapping[str, Any], answer: Answer) -> ModuleDefinition:
    """A module that looks: `answer` gives its result without `changed` and `api`."""

    def run(params: Options, check_mode: bool) -> Dict[str, Any]:
        refuse_half_characters(params, "")
        client = connect(params)
        return {"changed": False, **answer(client, params), "api": client.api()}

    return ModuleDefinition(with_connection(options), run)


def _fleet(client: Client, options: Options) -> Dict[str, Any]:
    filters, selected = selection("instances", options)
    if selected and any(not one["Values"] for one in filters):
        raise InvalidInput("ids, tags or filters are given, but empty", do="Leave them out to have what the fleet owns.")
    world = look_up.for_fleet(client, filters, str(options["name"]), options["details"])
    found = to_declaration.fleet(world, str(options["name"]), options["complete"], options["parts"])
    return {"declaration": found.declaration, "notes": list(found.notes)}


def _key_pairs(client: Client, options: Options) -> Dict[str, Any]:
    raws = describe(client, "key_pairs", selection("key_pairs", options)[0])
    return {"key_pairs": _sorted(facts.key_pair(raw) for raw in raws)}


def security_groups(client: Client, options: Options) -> Dict[str, Any]:
    """Groups, and each of their rules by itself."""
    raws = describe(client, "security_groups", selection("security_groups", options)[0])
    groups = tuple(_sorted(facts.security_group(raw) for raw in raws))
    context = Context(Declaration(), World(security_groups=groups))
    entries: Dict[str, List[Dict[str, Any]]] = {group["id"]: [] for group in groups}
    for raw in describe(client, "rules", [{"Name": "group-id", "Values": sorted(entries)}]):
        fact = rule_ids.from_api(raw)
        entries[fact["group_id"]].append(rule_ids.entry(fact, context.group_names))
    return {
        "security_groups": [
            {**_as_it_is(security_group.view(group, context)), "rule_entries": _in_order(entries[group["id"]])} for group in groups
        ]
    }


def _instances(client: Client, options: Options) -> Dict[str, Any]:
    world = look_up.instances(client, selection("instances", options)[0])
    return {"instances": _sorted(world.instances)}


def _volumes(client: Client, options: Options) -> Dict[str, Any]:
    raws = describe(client, "volumes", selection("volumes", options)[0])
    lacking = any(not raw.get("AvailabilityZoneId") for raw in raws)
    zones = {zone["ZoneName"]: zone["ZoneId"] for zone in describe(client, "zones", ())} if lacking else {}
    return {"volumes": _sorted(facts.volume(raw, zones) for raw in raws)}


def _elastic_ips(client: Client, options: Options) -> Dict[str, Any]:
    raws = describe(client, "elastic_ips", selection("elastic_ips", options)[0])
    return {"elastic_ips": _sorted(facts.elastic_ip(raw) for raw in raws)}


def _in_order(entries: Iterable[Dict[str, Any]]) -> List[Dict[str, Any]]:
    return sorted(entries, key=lambda one: (one["egress"], one["text"], one["id"]))


def _as_it_is(view: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in view.items() if name != "planned"}


def _sorted(found: Iterable[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """In order of name and id, the same in every run."""
    return sorted((dict(one) for one in found), key=lambda one: (str(one["name"] or ""), str(one["id"])))


FLEET_INFO = definition(_FLEET_INFO, _fleet)
KEY_PAIR_INFO = definition(SELECTION, _key_pairs)
SECURITY_GROUP_INFO = definition(SELECTION, security_groups)
INSTANCE_INFO = definition(SELECTION, _instances)
VOLUME_INFO = definition(SELECTION, _volumes)
ELASTIC_IP_INFO = definition(SELECTION, _elastic_ips)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up what exists, by ids, names, fleet, tags and filters, in as few calls as the API allows. Read-only."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ..aws import tags as tag_words
from ..aws.client import Client
from . import facts
from .describe import KINDS, Calls, Filter, Raw, api_filter, asking, at_once
from .instance.shown import DETAILS
from .read_details import with_details
from .world import World


def selection(kind: str, options: Mapping[str, Any]) -> Tuple[List[Dict[str, Any]], bool]:
    """The filters that `ids`, `names`, `fleet`, `tags` and `filters` of a module mean, and whether there are any."""
    how = KINDS[kind]
    found: Dict[str, List[str]] = {}
    if options.get("ids") is not None:
        found[how.id_filter] = [str(one) for one in options["ids"]]
    if options.get("fleet") is not None:
        found[f"tag:{tag_words.FLEET}"] = [str(options["fleet"])]
    if options.get("names") is not None:
        by_member = options.get("fleet") is not None and how.name_filter == "tag:Name"
        found[f"tag:{tag_words.MEMBER}" if by_member else how.name_filter] = [str(one) for one in options["names"]]
    for key, value in (options.get("tags") or {}).items():
        found[f"tag:{key}"] = _values(value)
    for key, value in (options.get("filters") or {}).items():
        word = key if key.startswith("tag:") else key.replace("_", "-")
        found[word] = _values(value)
    return [api_filter(name, values) for name, values in sorted(found.items())], bool(found)


def _values(value: Any) -> List[str]:
    several = value if isinstance(value, (list, tuple)) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in several]


def instances(client: Client, filters: Sequence[Filter]) -> World:
    """Instances with their volumes and addresses; what is selected decides whether those are asked for by instance or at once."""
    calls: Calls = {"instances": asking(client, "instances", filters)}
    if not filters:
        calls.update({kind: asking(client, kind, ()) for kind in ("volumes", "elastic_ips")})
    found = at_once(calls)
    found.update(at_once(belonging(client, found)))
    return World.of(client.region, None, found)


def belonging(client: Client, found: Mapping[str, Raw]) -> Calls:
    """The calls for what belongs to the instances in `found` and was not asked for yet."""
    calls: Calls = {}
    raws = facts.instances_in(found.get("instances", ()))
    ids = [raw["InstanceId"] for raw in raws]
    for kind, word in (("volumes", "attachment.instance-id"), ("elastic_ips", "instance-id")):
        if kind not in found and ids:
            calls[kind] = asking(client, kind, [api_filter(word, ids)])
    if any(not (raw.get("Placement") or {}).get("AvailabilityZoneId") for raw in raws):
        calls["zones"] = asking(client, "zones", ())
    return calls


def for_fleet(client: Client, filters: Sequence[Filter], fleet: str, details: bool = False) -> World:
    """What `fleet` owns (no `filters`), or the instances that pass `filters` and what belongs to them.

    `details`: also what is told of one instance at a time only, a few calls for each.
    """
    own = [api_filter(f"tag:{tag_words.FLEET}", [fleet])]
    owned = ("key_pairs", "security_groups", "instances", "volumes", "elastic_ips")
    if filters:
        found = at_once({"instances": asking(client, "instances", filters)})
    else:
        found = at_once({kind: asking(client, kind, own) for kind in owned})
    more = at_once({**belonging(client, {"instances": found["instances"]}), **_referred(client, found)})
    for kind, raws in more.items():
        found[kind] = [*found.get(kind, ()), *raws]
    seen = World.of(client.region, fleet, found)
    live = {str(fact["id"]) for fact in seen.instances if fact["state"] not in facts.GONE}
    return with_details(client, seen, dict.fromkeys((*DETAILS, "user_data"), live)) if details and live else seen


def _referred(client: Client, found: Mapping[str, Raw]) -> Calls:
    """Key pairs, groups, subnets and images that instances use and that were not found yet."""
    live = facts.live_in(found["instances"])
    groups = {group["GroupId"] for raw in live for group in (facts.primary_interface(raw).get("Groups") or raw.get("SecurityGroups") or ())}
    wanted = {
        "key_pairs": {raw["KeyName"] for raw in live if raw.get("KeyName")} - {raw["KeyName"] for raw in found.get("key_pairs", ())},
        "security_groups": groups - {raw["GroupId"] for raw in found.get("security_groups", ())},
        "subnets": {raw["SubnetId"] for raw in live if raw.get("SubnetId")},
        "all_images": {raw["ImageId"] for raw in live},
    }
    words = {"key_pairs": "key-name", "security_groups": "group-id", "subnets": "subnet-id", "all_images": "image-id"}
    return {kind: asking(client, kind, [api_filter(words[kind], values)]) for kind, values in wanted.items() if values}

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the options of a module to a declaration. Pure."""

from __future__ import annotations

import base64
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from ..engine.errors import InvalidInput
from . import rules as rule_words
from .declaration import Declaration, ElasticIp, Instance, KeyPair, SecurityGroup, Volume, given, image

Options = Mapping[str, Any]
#: Options of an instance that are what they are in the declaration, and those that have parts.
_PLAIN = (
    "key_pair",
    "subnet_id",
    "private_ip",
    "user_data_file",
    "iam_instance_profile",
    "termination_protection",
    "stop_protection",
    "shutdown_behavior",
    "monitoring",
    "ebs_optimized",
    "cpu_credits",
    "market",
    "wait_for",
)
_PARTS = ("metadata_options", "root_volume", "placement", "spot")
_ADDRESS = re.compile(r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._ +=:@()-]*$")


def fleet(options: Options) -> Declaration:
    """The declaration of a whole fleet; absent means that nothing of it is declared and what it owns goes."""
    name = options["name"]
    common = {
        "fleet": name,
        "whole": True,
        "delete_volumes": delete_volumes(options.get("delete_volumes")),
        **given(options, ("max_deletions", "my_ip")),
    }
    if options["state"] == "absent":
        return Declaration(prune=True, **common)
    tags = options.get("tags")
    members: List[Instance] = []
    volumes: List[Volume] = []
    addresses: List[ElasticIp] = []
    for declared in options.get("instances") or ():
        for index, member in enumerate(_members(declared)):
            members.append(instance({**declared, "name": member}, tags, index))
            kept = [one for one in declared.get("volumes") or () if declared.get("state") != "absent" or one.get("state") == "absent"]
            volumes += [_member_volume(one, member, declared, tags) for one in kept]
            addresses += _member_address(declared, member, tags)
    return Declaration(
        key_pairs=tuple(key_pair(one, tags) for one in options.get("key_pairs") or ()),
        security_groups=tuple(security_group(one, tags) for one in options.get("security_groups") or ()),
        instances=tuple(members),
        volumes=tuple(volumes),
        elastic_ips=tuple(addresses),
        prune=bool(options.get("prune")),
        adopt=bool(options.get("adopt")),
        purge_tags=bool(options.get("purge_tags", True)),
        **common,
    )


def key_pair(options: Options, tags: Optional[Options] = None) -> KeyPair:
    """One key pair."""
    return KeyPair(
        options["name"],
        options.get("state") or "present",
        _tags(tags, options),
        **given(options, ("key_type", "private_key_file", "public_key")),
    )


def security_group(options: Options, tags: Optional[Options] = None) -> SecurityGroup:
    """One security group."""
    where = f"security_group {options['name']}"
    rules: Dict[str, Any] = {
        name: rule_words.declared(options[name], where) for name in ("rules", "egress_rules") if options.get(name) is not None
    }
    return SecurityGroup(
        options["name"],
        options.get("state") or "present",
        _tags(tags, options),
        **given(options, ("description", "vpc_id", "purge_rules", "purge_egress_rules")),
        **rules,
    )


def instance(options: Options, tags: Optional[Options] = None, index: int = 0) -> Instance:
    """One instance; the `index`-th of a spread begins with the `index`-th zone."""
    zones = tuple(options.get("zone") or ())
    turn = index % len(zones) if zones else 0
    groups = options.get("security_groups")
    parts: Dict[str, Any] = {name: given(options[name], options[name]) for name in _PARTS if options.get(name) is not None}
    return Instance(
        options["name"],
        options.get("state") or "present",
        _tags(tags, options),
        image=image(options.get("image")),
        security_groups=None if groups is None else tuple(groups),
        zones=zones[turn:] + zones[:turn],
        instance_types=_types(options.get("instance_type")),
        user_data=_user_data(options),
        on_change=given(options.get("on_change") or {}, options.get("on_change") or ()),
        **given(options, _PLAIN),
        **parts,
    )


def _types(option: Any) -> Tuple[str, ...]:
    """One type, or several in order of preference."""
    return (option,) if isinstance(option, str) else tuple(option or ())


def _user_data(options: Options) -> Union[str, bytes, None]:
    """As it is given, or decoded; raises InvalidInput where it is no base64."""
    encoded = options.get("user_data_base64")
    if encoded is None:
        plain: Optional[str] = options.get("user_data")
        return plain
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except ValueError as error:
        where = f"instance {options['name']}"
        do = "Give what base64 -w0 FILE writes, or the text itself as user_data."
        raise InvalidInput("its user_data_base64 is not base64", resource=where, do=do) from error


def volume(options: Options, tags: Optional[Options] = None) -> Volume:
    """One volume."""
    names = (
        "size",
        "type",
        "iops",
        "throughput",
        "zone",
        "instance",
        "device",
        "snapshot",
        "encrypted",
        "kms_key_id",
        "delete_on_termination",
        "multi_attach",
        "force_detach",
    )
    where = f"volume {options['name']}"
    if options.get("size") is not None and options["size"] < 1:
        raise InvalidInput("its size cannot be meant", resource=where, found=str(options["size"]), do="Give it in GiB, 1 or more.")
    instances = options.get("instances")
    several: Dict[str, Any] = {} if instances is None else {"instances": tuple(dict.fromkeys(instances))}
    return Volume(options["name"], options.get("state") or "present", _tags(tags, options), **several, **given(options, names))


def elastic_ip(options: Options, tags: Optional[Options] = None) -> ElasticIp:
    """One Elastic IP."""
    address = options.get("address")
    if address is not None and not (address.startswith("eipalloc-") or _ADDRESS.match(address)):
        do = "Write it as in 203.0.113.7, or give its allocation id, eipalloc-…."
        raise InvalidInput("address is not an address", resource=f"elastic_ip {options['name']}", found=address, do=do)
    return ElasticIp(options["name"], options.get("state") or "present", _tags(tags, options), **given(options, ("instance", "address")))


def delete_volumes(option: Any) -> Any:
    """Whether volumes may be deleted: False, True for all, or the names of those that may."""
    if option in (None, False, True):
        return bool(option)
    if isinstance(option, (list, tuple)):
        return tuple(str(name) for name in option)
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    return words.get(str(option).lower(), (str(option),))


def _members(declared: Options) -> List[str]:
    """`web` without a count; with one `web-1`, `web-2`, …; none at all for 0."""
    name, count = declared["name"], declared.get("count")
    if not _NAME.match(str(name)):
        raise InvalidInput(
            "is not a good name", resource=f"instance {name}", do="Begin with a letter or digit and leave / to the names of volumes."
        )
    if count is None:
        return [name]
    if count < 0:
        raise InvalidInput("its count cannot be meant", resource=f"instance {name}", found=str(count), do="Give 0 or more.")
    return [f"{name}-{number}" for number in range(1, count + 1)]


def _member_volume(options: Options, member: str, declared: Options, tags: Optional[Options]) -> Volume:
    if "/" in options["name"] or options["name"] == "root":
        raise InvalidInput(
            "is not a good name for a volume",
            resource=f"volume {member}/{options['name']}",
            do="Leave / out; root is the name of the volume that the instance starts from.",
        )
    return volume({**options, "instance": member, "name": f"{member}/{options['name']}"}, _tags(tags, declared))


def _member_address(declared: Options, member: str, tags: Optional[Options]) -> List[ElasticIp]:
    """elastic_ip: true has one, false releases it, left out does not care."""
    wanted = declared.get("elastic_ip")
    if wanted is None:
        return []
    state = "present" if wanted and declared.get("state") != "absent" else "absent"
    return [elastic_ip({"name": member, "instance": member if state == "present" else None, "state": state}, _tags(tags, declared))]


def own_tags(options: Options) -> Optional[Dict[str, str]]:
    """The tags of something that is declared by itself."""
    return _tags(None, options)


def _tags(common: Optional[Options], options: Options) -> Optional[Dict[str, str]]:
    """Tags of the whole and of the part; None where neither declares any."""
    own = options.get("tags")
    if common is None and own is None:
        return None
    merged: Dict[str, str] = {str(key): _text(value) for key, value in {**(common or {}), **(own or {})}.items()}
    reserved: Tuple[str, ...] = ("steadfast:fleet", "steadfast:name", "steadfast:user-data")
    for key in merged:
        if key in reserved or key.startswith("aws:"):
            raise InvalidInput("a tag is declared that is not yours to set", found=key, do="Leave it out; the collection or AWS sets it.")
    return merged


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

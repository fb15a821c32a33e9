# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the options of a module to a declaration. Pure."""

from __future__ import annotations

import base64
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from ..engine.errors import InvalidInput
from . import rule_ids
from . import rules as rule_words
from .declaration import Declaration, ElasticIp, Instance, KeyPair, SecurityGroup, Volume, given, image
from .texts import refuse_half_characters

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
    refuse_blank(options, ("name",), "fleet")
    refuse_half_characters({one: options.get(one) for one in ("name", "tags", "delete_volumes")}, f"fleet {name}")
    limit = options.get("max_deletions")
    if limit is not None and limit < 0:
        do = "Give 0 for no deletion at all, or leave it out for no limit."
        raise InvalidInput("max_deletions cannot be meant", resource=f"fleet {name}", found=str(limit), do=do)
    common = {
        "fleet": name,
        "whole": True,
        "delete_volumes": delete_volumes(options.get("delete_volumes"), f"fleet {name}"),
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
    key_pairs = tuple(key_pair(one, tags) for one in options.get("key_pairs") or ())
    _refuse_one_file(key_pairs)
    return Declaration(
        key_pairs=key_pairs,
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
    where = f"key_pair {options['name']}"
    refuse_half_characters(options, where)
    refuse_blank(options, ("private_key_file", "public_key"), where)
    if options.get("public_key") is not None and options.get("private_key_file") is not None:
        do = "Give public_key for a pair that you have, or private_key_file for one that is to be made."
        raise InvalidInput("it has public_key and private_key_file", resource=where, do=do)
    return KeyPair(
        options["name"],
        options.get("state") or "present",
        _tags(tags, options),
        **given(options, ("key_type", "private_key_file", "public_key")),
    )


def _refuse_one_file(key_pairs: Iterable[KeyPair]) -> None:
    """Two pairs cannot have their private halves in one file."""
    owners: Dict[str, str] = {}
    for pair in key_pairs:
        path = os.path.abspath(os.path.expanduser(pair.private_key_file)) if pair.private_key_file and pair.state != "absent" else ""
        other = owners.setdefault(path, pair.name) if path else pair.name
        if other != pair.name:
            do = "Give each its own private_key_file."
            raise InvalidInput(f"its file is that of key_pair {other}", resource=f"key_pair {pair.name}", found=path, do=do)


def security_group(options: Options, tags: Optional[Options] = None) -> SecurityGroup:
    """One security group."""
    where = f"security_group {options['name']}"
    refuse_half_characters(options, where)
    refuse_blank(options, ("description", "vpc_id"), where)
    rules: Dict[str, Any] = {}
    for name in ("rules", "egress_rules"):
        if options.get(name) is not None:
            rules[name] = rule_words.declared([one for one in options[name] if one.get("id") is None], where)
            rules[f"identified_{name}"] = rule_ids.declared(options[name], where)
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
    refuse_half_characters(options, f"instance {options['name']}")
    _refuse_nothing(options)
    _refuse_unfit_parts(options)
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


def _refuse_nothing(options: Options) -> None:
    """An instance has at least one group and, once launched, its subnet and key: none of them can be nothing."""
    where = f"instance {options['name']}"
    if options.get("security_groups") == []:
        do = "Name at least one group, or leave security_groups out for the default group of the network."
        raise InvalidInput("an instance cannot be without a security group", resource=where, found="security_groups: []", do=do)
    refuse_blank(options, ("key_pair", "subnet_id", "private_ip"), where)
    size = (options.get("root_volume") or {}).get("size")
    if size is not None and size < 1:
        raise InvalidInput("the size of its root volume cannot be meant", resource=where, found=str(size), do="Give it in GiB, 1 or more.")


def _refuse_unfit_parts(options: Options) -> None:
    """What a launch would leave out in silence, or what could never be read back."""
    where = f"instance {options['name']}"
    spot = given(options.get("spot") or {}, options.get("spot") or ())
    if spot and options.get("market") != "spot":
        do = "Declare market: spot, or leave spot out."
        found = f"{', '.join(sorted(spot))} and market {options.get('market') or 'not given'}"
        raise InvalidInput("its options of spot count only with market: spot", resource=where, found=found, do=do)
    partition = (options.get("placement") or {}).get("partition")
    if partition is not None and partition < 1:
        do = "Partitions are counted from 1; leave it out to let AWS choose one."
        raise InvalidInput("the partition of its placement cannot be meant", resource=where, found=str(partition), do=do)


def refuse_blank(options: Options, names: Iterable[str], where: str) -> None:
    """What the API takes for nothing given would be found missing only when it is made."""
    for name in names:
        if options.get(name) is not None and not str(options[name]).strip():
            raise InvalidInput(f"its {name} is blank", resource=where, do=f"Give {name} a value, or leave it out.")


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
    refuse_half_characters(options, where)
    refuse_blank(options, ("zone", "snapshot", "kms_key_id"), where)
    if options.get("kms_key_id") and options.get("encrypted") is False:
        do = "Leave encrypted out, or say true; or leave kms_key_id out."
        raise InvalidInput("it has a key and is not to be encrypted", resource=where, found=options["kms_key_id"], do=do)
    if options.get("size") is not None and options["size"] < 1:
        raise InvalidInput("its size cannot be meant", resource=where, found=str(options["size"]), do="Give it in GiB, 1 or more.")
    instances = options.get("instances")
    several: Dict[str, Any] = {} if instances is None else {"instances": tuple(dict.fromkeys(instances))}
    return Volume(options["name"], options.get("state") or "present", _tags(tags, options), **several, **given(options, names))


def elastic_ip(options: Options, tags: Optional[Options] = None) -> ElasticIp:
    """One Elastic IP."""
    refuse_half_characters(options, f"elastic_ip {options['name']}")
    address = options.get("address")
    if address is not None and not (address.startswith("eipalloc-") or _ADDRESS.match(address)):
        do = "Write it as in 203.0.113.7, or give its allocation id, eipalloc-…."
        raise InvalidInput("address is not an address", resource=f"elastic_ip {options['name']}", found=address, do=do)
    if options.get("private_ip") and not (options.get("instance") or options.get("network_interface")):
        do = "Give the instance or the network_interface that has it."
        raise InvalidInput(
            "private_ip alone does not say where", resource=f"elastic_ip {options['name']}", found=options["private_ip"], do=do
        )
    names = ("instance", "address", "network_interface", "private_ip")
    return ElasticIp(options["name"], options.get("state") or "present", _tags(tags, options), **given(options, names))


def delete_volumes(option: Any, where: str = "") -> Any:
    """Whether volumes may be deleted: False, True for all, or the names of those that may."""
    if option in (None, False, True):
        return bool(option)
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(option, str) and option.lower() in words:
        return words[option.lower()]
    names = tuple(option) if isinstance(option, (list, tuple)) else (option,)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            do = "Give true, false, or a list of names such as web-1/images."
            raise InvalidInput("delete_volumes holds what is no name of a volume", resource=where, found=repr(name), do=do)
    return names


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
    if count > 1 and declared.get("private_ip"):
        do = "Leave private_ip out, or declare each member by itself."
        raise InvalidInput(f"{count} members cannot have one address", resource=f"instance {name}", found=declared["private_ip"], do=do)
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
    for key, value in {**(common or {}), **(own or {})}.items():
        if value is None or isinstance(value, (dict, list, tuple)):
            do = 'Give text, a number or a boolean, "" for a tag without a value, or leave it out.'
            raise InvalidInput("a tag has no value that can be meant", found=f"{key}: {value!r}", do=do)
    for key in merged:
        if key in reserved or key.startswith("aws:"):
            raise InvalidInput("a tag is declared that is not yours to set", found=key, do="Leave it out; the collection or AWS sets it.")
    return merged


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

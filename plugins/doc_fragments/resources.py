# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the EC2 resources, written once: for the module of each, and as parts of a fleet."""

from __future__ import annotations

from typing import Any

import yaml

_COMMON = r"""
fleet:
  description:
    - The fleet that owns the resource. It is then found by the fleet's tags instead of its C(Name) tag.
  type: str
tags:
  description:
    - The tags of the resource, beside the ones that the collection sets to find it again.
    - Not managed when it is not given; V({}) means none.
  type: dict
  aliases: [resource_tags]
purge_tags:
  description:
    - Whether tags that are not in O(tags) are removed. The C(Name) tag and those that begin with C(aws:) or C(steadfast:) always stay.
    - Without O(tags), nothing is removed.
  type: bool
  default: true
state:
  description: Whether the resource is there.
  type: str
  choices: [present, absent]
  default: present
wait_timeout:
  description: Seconds to wait for one change of state. What has not got there by then fails the task with the last state seen.
  type: int
  default: 600
"""

_MY_IP = r"""
my_ip:
  description:
    - The address that V(my_ip) in a rule stands for.
    - When not given, it is V(127.0.0.1) for an endpoint on this machine, and otherwise what U(https://checkip.amazonaws.com) answers.
  type: str
"""

_KEY_PAIR = r"""
name:
  description: The name of the key pair, unique in the region.
  type: str
  required: true
key_type:
  description:
    - The kind of key to make. V(ed25519) when it is not given; V(rsa) has 4096 bits.
    - A key that is there already must be of this kind.
  type: str
  choices: [ed25519, rsa]
private_key_file:
  description:
    - Where the private key is kept, on the machine where the task runs.
    - When neither the file nor the key pair exists, a key is made with C(ssh-keygen), written with mode C(0400), and its public half
      imported. The private half never travels and is never returned.
    - When the file exists, its public half is imported, and compared with the key in the account, by the fingerprint where that is all
      that is shown. Nothing is made in the account for it.
    - When only the key pair exists, the file is lost, and that is an error. AWS cannot give a private key out a second time.
  type: path
  aliases: [file_name]
public_key:
  description: The public half of a key to import, as in a C(.pub) file.
  type: str
  aliases: [key_material]
"""

_RULE = r"""
protocol:
  description: The protocol; V(tcp), V(udp), V(icmp), V(icmpv6), V(all), or a number.
  type: str
  default: tcp
  aliases: [proto]
ports:
  description: Ports and ranges of ports, as in V([22, "8000-8010"]). Needed for V(tcp) and V(udp).
  type: list
  elements: str
cidr:
  description:
    - Networks, IPv4 or IPv6, or V(my_ip) for the address of this machine as the API sees it.
    - A single address means itself alone. A network with bits of a host set, such as V(10.0.0.1/8), is refused as a slip.
  type: list
  elements: str
  aliases: [cidr_ip, cidr_ipv6]
group:
  description:
    - Security groups by name or id; one of the same declaration may be named before it exists, and two may name each other.
    - A group of another account, in a VPC that is peered with this one, is written with it, as in V(123456789012/sg-0123456789abcdef0).
  type: list
  elements: str
  aliases: [group_name, group_id]
prefix_list:
  description: Managed prefix lists by id, or by name as in V(com.amazonaws.global.cloudfront.origin-facing).
  type: list
  elements: str
  aliases: [ip_prefix]
icmp_type:
  description: The type of message, for V(icmp) and V(icmpv6); V(-1) and nothing mean every type.
  type: int
icmp_code:
  description: The code of O(icmp_type); V(-1) and nothing mean every code.
  type: int
description:
  description: What the rule is for, changed in place. Not managed when it is not given; an empty string removes it.
  type: str
  aliases: [rule_desc]
"""

_SECURITY_GROUP = r"""
name:
  description: The name of the group.
  type: str
  required: true
description:
  description:
    - The description of the group. AWS never changes it again, so another one than there is, is refused.
    - A new group without one gets its name.
  type: str
vpc_id:
  description: The VPC of the group; the default VPC when it is not given. Needed where several groups have the name.
  type: str
rules:
  description:
    - Who is let in. The list is exact, rules that are not in it are revoked, after the new ones are authorised.
    - A rule in several spellings is one rule; addresses, ports and protocols are normalised as AWS does.
    - Not managed when it is not given; V([]) lets nobody in.
  type: list
  elements: dict
egress_rules:
  description: Where traffic may go, written like C(rules). When it is not given, egress stays as it is; a new group lets everything out.
  type: list
  elements: dict
  aliases: [rules_egress]
purge_rules:
  description: Whether rules that are not in O(rules) are revoked. V(false) only adds those that are missing.
  type: bool
  default: true
purge_egress_rules:
  description: The same for O(egress_rules).
  type: bool
  default: true
  aliases: [purge_rules_egress]
"""

_INSTANCE = r"""
name:
  description: The name of the instance, by which it is found again.
  type: str
  required: true
image:
  description:
    - The id of an image, or a mapping with C(name) (with C(*) and C(?)) and C(owner), which means the newest one that fits.
    - Needed for a new instance. Where a newer image has appeared since, this is said in RV(notes), and nothing is changed.
  type: raw
  aliases: [image_id]
instance_type:
  description: The type, for example V(t3.micro). Needed for a new instance.
  type: str
key_pair:
  description: The name of the key pair that can log in. Fixed at launch.
  type: str
  aliases: [key_name]
security_groups:
  description: Names or ids of security groups. They are set on the primary network interface.
  type: list
  elements: str
  aliases: [security_group]
zone:
  description:
    - The zone by name (V(us-east-1a)) or id (V(use1-az1)), or a list of acceptable zones, over which members are spread in turn.
    - A new instance with a volume that exists goes to the volume's zone.
  type: list
  elements: str
  aliases: [zones, availability_zone]
subnet_id:
  description: The subnet. Fixed at launch.
  type: str
  aliases: [vpc_subnet_id]
user_data:
  description: What the instance runs at its first boot. Compared by its SHA-256, which is kept in a tag; the text is never shown.
  type: str
metadata_options:
  description: Options of the metadata service. Only those given are sent. New instances require IMDSv2 unless told otherwise.
  type: dict
  suboptions:
    http_tokens:
      description: V(required) means IMDSv2 only.
      type: str
      choices: [required, optional]
    http_endpoint:
      description: Whether the service answers.
      type: str
      choices: [enabled, disabled]
    http_put_response_hop_limit:
      description: How many hops an answer may travel; containers need 2.
      type: int
    http_protocol_ipv6:
      description: Whether it answers on IPv6.
      type: str
      choices: [enabled, disabled]
    instance_metadata_tags:
      description: Whether tags can be read there.
      type: str
      choices: [enabled, disabled]
on_change:
  description: What may be done about differences that cannot simply be changed. Each is refused unless this allows more.
  type: dict
  suboptions:
    image:
      description: V(ignore) keeps an instance that was launched from another image than the declared id.
      type: str
      choices: [refuse, ignore]
    instance_type:
      description: V(restart) allows to stop and start a running instance for another type.
      type: str
      choices: [refuse, restart]
    user_data:
      description: V(ignore) keeps the old ones; V(restart) stores the new ones, with a stop and a start. They run at the first boot only.
      type: str
      choices: [refuse, ignore, restart]
"""

_VOLUME = r"""
name:
  description: The name of the volume, by which it is found again.
  type: str
  required: true
size:
  description: The size in GiB. A volume grows, and never shrinks.
  type: int
  aliases: [volume_size]
type:
  description: The type, for example V(gp3), which a new volume gets when it is not given.
  type: str
  aliases: [volume_type]
iops:
  description: Input and output operations per second, for types that have them.
  type: int
throughput:
  description: MiB per second, for V(gp3).
  type: int
device:
  description: The attach name, for example V(/dev/sdf). A free one is chosen when it is not given.
  type: str
  aliases: [device_name]
snapshot:
  description: The snapshot that a new volume is made from.
  type: str
  aliases: [snapshot_id]
encrypted:
  description: Whether a new volume is encrypted. The account's default when it is not given.
  type: bool
kms_key_id:
  description: The key to encrypt a new volume with.
  type: str
delete_on_termination:
  description: Whether the volume is deleted with its instance. New attachments keep the volume when it is not given.
  type: bool
"""

_STATES = r"""
state:
  description:
    - V(present) means there, in whatever state. V(running) and V(stopped) bring it to that state.
    - V(restarted) reboots it once more in every run; one that is stopped is started.
    - V(absent) terminates it. Volumes that were attached to it afterwards stay.
  type: str
  choices: [present, running, stopped, restarted, absent]
  default: present
"""


def _options(*texts: str, **changes: Any) -> dict[str, Any]:
    """Options from their texts, with some of them more exactly."""
    merged: dict[str, Any] = {}
    for text in texts:
        merged.update(yaml.safe_load(text))
    for name, more in changes.items():
        merged[name] = {**merged.get(name, {}), **more}
    return merged


def _text(options: dict[str, Any]) -> str:
    return str(yaml.safe_dump({"options": options}, sort_keys=False, allow_unicode=True, width=1000))


def _part(options: dict[str, Any]) -> dict[str, Any]:
    """Options as an entry of a fleet: the connection and the fleet are the fleet's."""
    common = _options(_COMMON)
    return {**options, "tags": {**common["tags"], "description": "Tags beside those of the fleet."}, "state": common["state"]}


_RULES = {"suboptions": yaml.safe_load(_RULE)}
_GROUP = _options(_SECURITY_GROUP, rules=_RULES, egress_rules=_RULES)
_MEMBER = {
    **_part(_options(_INSTANCE)),
    "name": {
        "description": "The name of the instance; with O(instances[].count), of all of them together.",
        "type": "str",
        "required": True,
    },
    "count": {
        "description": "How many: C(web-1), C(web-2) and so on. V(0) means none. Without it there is one, called just by its name.",
        "type": "int",
    },
    "elastic_ip": {
        "description": "Whether each has an Elastic IP of its own. V(false) releases it; not managed when it is not given.",
        "type": "bool",
    },
    "volumes": {
        "description": "Volumes of each. They live in the zone of their instance and are kept when it goes.",
        "type": "list",
        "elements": "dict",
        "suboptions": _part(_options(_VOLUME)),
    },
    "state": {
        "description": "V(present) means there, in whatever state; V(absent) terminates it and keeps its volumes.",
        "type": "str",
        "choices": ["present", "running", "stopped", "absent"],
        "default": "present",
    },
}
_FLEET = {
    "name": {
        "description": "The name of the fleet. It owns what carries it in the tag C(steadfast:fleet).",
        "type": "str",
        "required": True,
    },
    "state": {
        "description": [
            "V(present) brings everything to what is declared.",
            "V(absent) deletes everything that the fleet owns, declared here or not. Volumes are kept unless O(delete_volumes) is set.",
        ],
        "type": "str",
        "choices": ["present", "absent"],
        "default": "present",
    },
    "tags": {**_options(_COMMON)["tags"], "description": "Tags of everything in the fleet. Not managed when it is not given."},
    "purge_tags": _options(_COMMON)["purge_tags"],
    "key_pairs": {"description": "Key pairs.", "type": "list", "elements": "dict", "suboptions": _part(_options(_KEY_PAIR))},
    "security_groups": {"description": "Security groups.", "type": "list", "elements": "dict", "suboptions": _part(_GROUP)},
    "instances": {"description": "Instances, with their volumes and addresses.", "type": "list", "elements": "dict", "suboptions": _MEMBER},
    "prune": {
        "description": "Whether what the fleet owns and no longer declares is deleted. When it is not, RV(notes) names it.",
        "type": "bool",
        "default": False,
    },
    "delete_volumes": {
        "description": [
            "Which volumes may be deleted by O(state=absent) and by O(prune), V(true) for all, or a list of names such as V(web-1/images).",
            "They may hold data, so the others are kept and named in RV(notes).",
        ],
        "type": "raw",
        "default": False,
    },
    "max_deletions": {"description": "Refuse a plan that deletes more than so many resources.", "type": "int"},
    **_options(_MY_IP),
    "wait_timeout": _options(_COMMON)["wait_timeout"],
}


class ModuleDocFragment:
    """One fragment for each module."""

    # With a type, because ansible-test takes plain assignments for literals.
    KEY_PAIR: str = _text(_options(_KEY_PAIR, _COMMON))
    SECURITY_GROUP: str = _text({**_GROUP, **_options(_MY_IP, _COMMON)})
    INSTANCE: str = _text(_options(_INSTANCE, _COMMON, _STATES))
    VOLUME: str = _text(
        _options(
            _VOLUME,
            _COMMON,
            zone={
                "description": "The zone by name or id. That of its instance when it is not given.",
                "type": "str",
                "aliases": ["availability_zone"],
            },
            instance={
                "description": [
                    "The instance it is attached to, by name or id. An empty string means attached to nothing.",
                    "Not managed when it is not given. A volume is never taken from another instance.",
                ],
                "type": "str",
            },
        )
    )
    ELASTIC_IP: str = _text(
        _options(
            _COMMON,
            name={"description": "The name of the address, kept in its C(Name) tag.", "type": "str", "required": True},
            instance={
                "description": "The instance it points to, by name or id. An empty string means none. Not managed when not given.",
                "type": "str",
            },
        )
    )
    FLEET: str = _text(_FLEET)

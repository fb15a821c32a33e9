# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the EC2 resources, written once: for the module of each, and as parts of a fleet."""

from __future__ import annotations

from typing import Any

import yaml

from ..plugin_utils.option_texts import KEY_PAIR, RULE, SECURITY_GROUP, VOLUME

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


_RULES = {"suboptions": yaml.safe_load(RULE)}
_GROUP = _options(SECURITY_GROUP, rules=_RULES, egress_rules=_RULES)
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
        "suboptions": _part(_options(VOLUME)),
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
    "key_pairs": {"description": "Key pairs.", "type": "list", "elements": "dict", "suboptions": _part(_options(KEY_PAIR))},
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
    KEY_PAIR: str = _text(_options(KEY_PAIR, _COMMON))
    SECURITY_GROUP: str = _text({**_GROUP, **_options(_MY_IP, _COMMON)})
    INSTANCE: str = _text(_options(_INSTANCE, _COMMON, _STATES))
    VOLUME: str = _text(
        _options(
            VOLUME,
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
            instances={
                "description": "With O(multi_attach), the instances it is attached to, exactly. It is detached from others.",
                "type": "list",
                "elements": "str",
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

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the EC2 resources, written once: for the module of each, and as parts of a fleet."""

from __future__ import annotations

from typing import Any

import yaml

from ..plugin_utils.instance_options import INSTANCE, STATES
from ..plugin_utils.option_texts import ADDRESS, KEY_PAIR, RULE, SECURITY_GROUP, VOLUME

_COMMON = r"""
fleet:
  description:
    - The fleet that owns the resource. It is then found by the fleet's tags instead of its C(Name) tag.
  type: str
adopt:
  description:
    - Whether what exists under the declared name and belongs to no fleet becomes the fleet's. Only tags are put on it, which the plan
      shows; two that fit are an error that names both.
    - Without O(fleet) it means nothing, because then the name alone counts.
  type: bool
  default: false
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
  description:
    - Seconds to wait for one change of state. What has not got there by then fails the task with the last state seen.
    - What the API has not done yet, or failed to do by its own fault, is tried again for a minute, and never longer than this.
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
    **_part(_options(INSTANCE)),
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
    "adopt": {
        "description": [
            "Whether what exists under a declared name and belongs to no fleet becomes this fleet's.",
            "Instances, volumes and addresses are found by their C(Name) tag, the latter two also on their instance; key pairs and "
            "groups by their names. Only tags are put on them, which the plan shows; two that fit are an error that names both.",
        ],
        "type": "bool",
        "default": False,
    },
    "prune": {
        "description": "Whether what the fleet owns and no longer declares is deleted. When it is not, RV(notes) names it.",
        "type": "bool",
        "default": False,
    },
    "delete_volumes": {
        "description": [
            "Which volumes may be deleted by O(state=absent) and by O(prune), V(true) for all, or a list of names such as V(web-1/images).",
            "They may hold data, so the others are kept and named in RV(notes). So is a name that no volume of the fleet has.",
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
    INSTANCE: str = _text(_options(INSTANCE, _COMMON, STATES))
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
            network_interface={
                "description": [
                    "The network interface it points to, instead of an instance, by id or by its C(Name) tag. An empty string means none.",
                    "For interfaces beside the first of an instance, and for those that belong to no instance.",
                ],
                "type": "str",
                "aliases": ["network_interface_id"],
            },
            private_ip={
                "description": [
                    "Which private address of the interface it stands for, where that has several. The first one when it is not given.",
                    "With O(instance), an address of its first interface.",
                ],
                "type": "str",
                "aliases": ["private_ip_address"],
            },
            address=yaml.safe_load(ADDRESS),
        )
    )
    FLEET: str = _text(_FLEET)

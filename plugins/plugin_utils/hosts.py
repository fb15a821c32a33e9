# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From instances to inventory hosts: their names, how to reach them, and their groups. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

Facts = Mapping[str, Any]

#: Login users of images by the name of the image, as their publishers document them. The first that fits counts.
IMAGE_USERS = (
    ("debian-*", "admin"),
    ("ubuntu*/*", "ubuntu"),
    ("al2023-ami-*", "ec2-user"),
    ("amzn*-ami-*", "ec2-user"),
    ("RHEL-*", "ec2-user"),
    ("suse-*", "ec2-user"),
    ("AlmaLinux *", "ec2-user"),
    ("Rocky-*", "rocky"),
    ("CentOS Stream *", "ec2-user"),
    ("CentOS *", "centos"),
    ("Fedora-*", "fedora"),
    ("FreeBSD *", "ec2-user"),
    ("bitnami-*", "bitnami"),
)
USER_TAG = "steadfast:user"
#: Names that mean something else to Ansible; no tag in an account may take their place.
RESERVED = ("all", "ungrouped", "localhost")


@dataclass(frozen=True)
class Reach:
    """How hosts are reached: `connect_with` in order of preference; `{key_pair}` in `key_file` stands for the key pair's name."""

    connect_with: Sequence[str]
    user: str | None
    key_file: str | None

    def variables(self, instance: Facts, image_names: Mapping[str, str]) -> dict[str, str]:
        """`ansible_host` and its kin; what is not known is left to ssh's own configuration."""
        found = {
            "ansible_host": next((str(instance[kind]) for kind in self.connect_with if instance.get(kind)), None),
            "ansible_user": self.user or instance["tags"].get(USER_TAG) or image_user(image_names.get(instance["image_id"], "")),
            "ansible_ssh_private_key_file": self._key_file(instance["key_pair"]),
        }
        return {name: value for name, value in found.items() if value}

    def _key_file(self, key_pair: str | None) -> str | None:
        if not self.key_file or ("{key_pair}" in self.key_file and (not key_pair or "/" in key_pair)):
            return None
        path = self.key_file.replace("{key_pair}", key_pair or "")
        return path if Path(path).is_file() else None


def image_user(image_name: str) -> str | None:
    """The user that an image's publisher has made for logging in; None where the name tells nothing."""
    return next((user for pattern, user in IMAGE_USERS if fnmatchcase(image_name, pattern)), None)


def names(instances: Iterable[Facts], how: str, reserved: Collection[str] = ()) -> dict[str, str]:
    """{instance id: host name}: unique, and the same whatever the order.

    Where instances would share a name, or a group or `reserved` has it, all of them get their fleet behind it, and then their id.
    """
    steps = {instance["id"]: _candidates(instance, how) for instance in instances}
    level = dict.fromkeys(steps, 0)
    refused = {*RESERVED, *reserved}
    while True:
        found = {instance_id: steps[instance_id][number] for instance_id, number in level.items()}
        taken = Counter(found.values())
        crowded = [one for one, name in found.items() if (taken[name] > 1 or name in refused) and level[one] + 1 < len(steps[one])]
        if not crowded:
            return found
        for instance_id in crowded:
            level[instance_id] += 1


def _candidates(instance: Facts, how: str) -> list[str]:
    """What the instance may be called, the shortest first; the last is its own alone."""
    own, fleet = instance.get("member") or instance.get("name"), instance.get("fleet")
    if how == "id" or not own:
        return [instance["id"]]
    short = [own] if how == "name" or not fleet else []
    qualified = [f"{own}.{fleet}"] if fleet else []
    unique = f"{own}-{instance['id'].removeprefix('i-')}"
    return [re.sub(r"[^A-Za-z0-9._-]", "_", text) for text in (*short, *qualified, unique)]


def groups(instance: Facts, kinds: Sequence[str]) -> list[str]:
    """The groups that `kinds` put the instance into: `zone_us_east_1a`; a kind that is no attribute is a tag, by any case."""
    tags = {key.casefold(): value for key, value in instance["tags"].items()}
    values = {kind: instance.get(kind) if kind in ATTRIBUTES else tags.get(kind.casefold()) for kind in kinds}
    return [re.sub(r"[^A-Za-z0-9_]", "_", f"{kind}_{value}".lower()) for kind, value in values.items() if value]


#: Attributes of an instance that make groups under their own name.
ATTRIBUTES = ("fleet", "region", "zone", "zone_id", "instance_type", "state", "vpc_id", "subnet_id", "image_id", "key_pair")

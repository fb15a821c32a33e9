# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From instances to inventory hosts: their names, how to reach them, and their groups. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError

from ..module_utils.engine.errors import InvalidInput

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
RESERVED = ("all", "ungrouped", "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Reach:
    """How hosts are reached: `connect_with` in order of preference; `{key_pair}` in `key_file` stands for the key pair's name."""

    connect_with: Sequence[str]
    user: str | None
    key_file: str | None
    port: int | None = None
    ssh_args: str | None = None

    def variables(self, instance: Facts, image_names: Mapping[str, str]) -> dict[str, Any]:
        """`ansible_host` and its kin; what is not known is left to ssh's own configuration."""
        found = {
            "ansible_host": next((str(instance[kind]) for kind in self.connect_with if instance.get(kind)), None),
            "ansible_user": self.user or instance["tags"].get(USER_TAG) or image_user(image_names.get(instance["image_id"], "")),
            "ansible_port": self.port,
            "ansible_ssh_private_key_file": self._key_file(instance["key_pair"]),
            "ansible_ssh_common_args": self.ssh_args,
        }
        return {name: value for name, value in found.items() if value}

    def _key_file(self, key_pair: str | None) -> str | None:
        if not self.key_file or ("{key_pair}" in self.key_file and (not key_pair or "/" in key_pair)):
            return None
        path = self.key_file.replace("{key_pair}", key_pair or "")
        return path if Path(path).is_file() else None


@lru_cache(maxsize=4096)
def image_user(image_name: str) -> str | None:
    """The user that an image's publisher has made for logging in; None where the name tells nothing."""
    return next((user for pattern, user in IMAGE_USERS if fnmatchcase(image_name, pattern)), None)


#: What `hostnames` may be besides `tag:KEY` and templates: the fact, under our name for it and under the API's.
NAMING = {
    "id": "id",
    "instance-id": "id",
    "public_ip": "public_ip",
    "ip-address": "public_ip",
    "private_ip": "private_ip",
    "private-ip-address": "private_ip",
    "public_dns": "public_dns",
    "dns-name": "public_dns",
    "private_dns": "private_dns",
    "private-dns-name": "private_dns",
}
Render = Callable[[str, Facts], Any]


def check_hostnames(preferences: Sequence[Any]) -> None:
    """Refuse what is no way of naming a host; a plain word would give one name to all of them."""
    for one in preferences:
        if not isinstance(one, str) or (one not in ("name", "fleet", *NAMING) and not re.match("tag:.", one) and not is_template(one)):
            raise InvalidInput(
                "is no way of naming a host",
                resource=f"hostnames: {one}",
                found=f"there are: name, fleet, tag:KEY, {', '.join(NAMING)}, and templates such as '{{{{ ec2.tags.Name }}}}'",
                do="Correct it; a text that is the same for all of them is no name, and a prefix is written as a template.",
            )
        try:
            Environment(autoescape=True).parse(one)
        except TemplateSyntaxError as error:
            raise InvalidInput("the template cannot be read", resource=f"hostnames: {one}", found=str(error)) from error


def check_group_by(kinds: Sequence[Any]) -> None:
    """Refuse what is neither an attribute nor the key of a tag."""
    for kind in kinds:
        if not isinstance(kind, str) or not kind:
            raise InvalidInput("is neither an attribute nor a tag", resource=f"group_by: {kind!r}", do="Leave it out, or name one.")


def is_template(text: str) -> bool:
    """Whether Ansible has to evaluate it."""
    return "{{" in text or "{%" in text


@dataclass(frozen=True)
class Names:
    """Host names by (account and) instance id, and the names that several instances wanted, with what they are called instead."""

    by_id: dict[str, str]
    shared: dict[str, list[str]]


def names(
    instances: Iterable[Facts],
    preferences: Sequence[str],
    reserved: Collection[str] = (),
    elsewhere: Mapping[str, str] | None = None,
    render: Render = lambda text, instance: None,
) -> Names:
    """A name for each instance, unique, and the same whatever the order.

    Where instances would share a name, or a group or `reserved` has it, or another source has given it to another instance
    (`elsewhere`: instance id by name), all of them get their fleet behind it, and then their id.
    """
    steps = {instance["id"]: _candidates(instance, preferences, render) for instance in instances}
    level = dict.fromkeys(steps, 0)
    refused, others = {*RESERVED, *reserved}, elsewhere or {}
    while True:
        found = {instance_id: steps[instance_id][number] for instance_id, number in level.items()}
        taken = Counter(found.values())
        crowded = [
            one
            for one, name in found.items()
            if (taken[name] > 1 or name in refused or others.get(name, one) != one) and level[one] + 1 < len(steps[one])
        ]
        if not crowded:
            return Names(found, _shared(steps, found, refused))
        for instance_id in crowded:
            level[instance_id] += 1


def _shared(steps: Mapping[str, list[str]], found: Mapping[str, str], refused: Collection[str]) -> dict[str, list[str]]:
    """Who had to take an id although it had a name; not where the name is only Ansible's or a group's."""
    shared: dict[str, list[str]] = {}
    for instance_id, candidates in steps.items():
        if len(candidates) > 1 and found[instance_id] == candidates[-1] and candidates[0] not in refused:
            shared.setdefault(candidates[0], []).append(found[instance_id])
    return shared


def _candidates(instance: Facts, preferences: Sequence[str], render: Render) -> list[str]:
    """What the instance may be called, the shortest first; the last is its own alone."""
    own, by_id = None, False
    for preference in preferences:
        own = _named(instance, preference, render)
        by_id = NAMING.get(preference) == "id"
        if own:
            break
    if not own or by_id:
        return [str(instance["id"])]
    fleet = instance.get("fleet")
    short = [own] if preference != "fleet" or not fleet else []
    qualified = [f"{own}.{fleet}"] if fleet else []
    unique = f"{own}-{instance['id'].removeprefix('i-')}"
    return [_host_name(text) for text in (*short, *qualified, unique)]


def _host_name(text: str) -> str:
    """Without signs that mean something in a host pattern; nor at the beginning a dot, with which host_vars would be looked for in
    other folders, or a dash, which makes an option of it."""
    return re.sub(r"^[.-]+|[^\w.-]", lambda found: "_" * len(found[0]), text)


def _named(instance: Facts, preference: str, render: Render) -> str | None:
    if preference in ("name", "fleet"):
        found = instance.get("member") or instance.get("name")
    elif preference in NAMING:
        found = instance.get(NAMING[preference])
    elif preference.startswith("tag:") and not is_template(preference):
        found = instance["tags"].get(preference.removeprefix("tag:"))
    else:
        found = render(preference, instance)
    return str(found).strip() or None if found is not None else None


def groups(instance: Facts, kinds: Sequence[str]) -> list[str]:
    """The groups that `kinds` put the instance into: `zone_us_east_1a`; a kind that is no attribute is a tag, by any case."""
    tags = {key.casefold(): value for key, value in instance["tags"].items()}
    values = {kind: instance.get(kind) if kind in ATTRIBUTES else tags.get(kind.casefold()) for kind in kinds}
    return [_group(kind, value) for kind, value in values.items() if value]


@lru_cache(maxsize=65536)
def _group(kind: str, value: str) -> str:
    return re.sub(r"\W", "_", f"{kind}_{value}".lower())


#: Attributes of an instance that make groups under their own name.
ATTRIBUTES = (
    "account",
    "account_id",
    "fleet",
    "region",
    "zone",
    "zone_id",
    "instance_type",
    "state",
    "vpc_id",
    "subnet_id",
    "image_id",
    "key_pair",
)

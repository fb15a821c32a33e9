# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared, as frozen data. Whatever is wrong with a declaration in itself is refused here. Pure.

A name left out is None and means "not managed". A fleet and a module for one resource make the same declaration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Union

from ..engine.errors import InvalidInput
from .rule_ids import IdentifiedRule
from .rules import Rule


@dataclass(frozen=True)
class KeyPair:
    """A key pair; its private half never leaves `private_key_file`."""

    name: str
    state: str = "present"
    tags: Optional[Mapping[str, str]] = None
    key_type: Optional[str] = None
    private_key_file: Optional[str] = None
    public_key: Optional[str] = None


@dataclass(frozen=True)
class SecurityGroup:
    """A security group. Rules are exact where they are given, or with `purge_…` False at least there; None leaves them alone."""

    name: str
    state: str = "present"
    tags: Optional[Mapping[str, str]] = None
    description: Optional[str] = None
    vpc_id: Optional[str] = None
    rules: Optional[Tuple[Rule, ...]] = None
    egress_rules: Optional[Tuple[Rule, ...]] = None
    purge_rules: bool = True
    purge_egress_rules: bool = True
    #: Entries of the two lists that name a rule by its id.
    identified_rules: Tuple[IdentifiedRule, ...] = ()
    identified_egress_rules: Tuple[IdentifiedRule, ...] = ()

    def purge(self, name: str) -> bool:
        """Whether rules that are not in the list `name` (rules, egress_rules) are revoked."""
        return self.purge_rules if name == "rules" else self.purge_egress_rules

    @property
    def mentioned(self) -> Tuple[Rule, ...]:
        """All rules in both directions, those with an id by their sources alone."""
        identified = (*self.identified_rules, *self.identified_egress_rules)
        return (*(self.rules or ()), *(self.egress_rules or ()), *(rule for one in identified for rule in one.mentions))


@dataclass(frozen=True)
class Image:
    """An image by id, or the newest one by name and owner."""

    id: Optional[str] = None
    name: Optional[str] = None
    owner: Optional[str] = None
    #: The API's own filters, as ((name, values), …).
    filters: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        words = [f"{self.name}"] if self.name else []
        words += [f"{name}={','.join(values)}" for name, values in self.filters]
        return self.id or " ".join(words) + (f" of {self.owner}" if self.owner else "")


@dataclass(frozen=True)
class Instance:
    """An instance. `zones` and `instance_types` are acceptable ones; a new instance gets the first that has room."""

    name: str
    state: str = "present"
    tags: Optional[Mapping[str, str]] = None
    image: Optional[Image] = None
    instance_types: Tuple[str, ...] = ()
    key_pair: Optional[str] = None
    security_groups: Optional[Tuple[str, ...]] = None
    zones: Tuple[str, ...] = ()
    subnet_id: Optional[str] = None
    private_ip: Optional[str] = None
    #: Bytes where it was given in base64.
    user_data: Union[str, bytes, None] = None
    user_data_file: Optional[str] = None
    metadata_options: Optional[Mapping[str, Any]] = None
    #: size, type, iops, throughput, encrypted, kms_key_id, delete_on_termination; those that are given.
    root_volume: Optional[Mapping[str, Any]] = None
    #: A name or an ARN; "" means none.
    iam_instance_profile: Optional[str] = None
    termination_protection: Optional[bool] = None
    stop_protection: Optional[bool] = None
    shutdown_behavior: Optional[str] = None
    monitoring: Optional[bool] = None
    ebs_optimized: Optional[bool] = None
    cpu_credits: Optional[str] = None
    #: tenancy, group, partition; those that are given.
    placement: Optional[Mapping[str, Any]] = None
    #: on_demand or spot
    market: Optional[str] = None
    #: max_price, interruption_behavior; those that are given. Only a launch is told.
    spot: Optional[Mapping[str, Any]] = None
    #: What a launch or a start waits for: running, or status_checks too.
    wait_for: Optional[str] = None
    on_change: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Volume:
    """A volume. `instance` is a declared name, a Name tag or an id; "" means attached to nothing. `instances` are exactly those."""

    name: str
    state: str = "present"
    tags: Optional[Mapping[str, str]] = None
    size: Optional[int] = None
    type: Optional[str] = None
    iops: Optional[int] = None
    throughput: Optional[int] = None
    zone: Optional[str] = None
    instance: Optional[str] = None
    device: Optional[str] = None
    snapshot: Optional[str] = None
    encrypted: Optional[bool] = None
    kms_key_id: Optional[str] = None
    delete_on_termination: Optional[bool] = None
    multi_attach: Optional[bool] = None
    instances: Optional[Tuple[str, ...]] = None
    force_detach: bool = False


@dataclass(frozen=True)
class ElasticIp:
    """An Elastic IP. `instance` is a declared name, a Name tag or an id; "" means it points to nothing.

    `network_interface` is one by its id or Name tag, instead of an instance. `private_ip` says which of its addresses.
    `address` is one that exists, by itself or by its allocation id, and is taken over under this name.
    """

    name: str
    state: str = "present"
    tags: Optional[Mapping[str, str]] = None
    instance: Optional[str] = None
    address: Optional[str] = None
    network_interface: Optional[str] = None
    private_ip: Optional[str] = None

    @property
    def place(self) -> Optional[str]:
        """What it is to point to, by whatever name; "" for nothing, None where that is not managed."""
        return self.instance if self.network_interface is None else self.network_interface


@dataclass(frozen=True)
class Declaration:
    """Everything that one run is about."""

    fleet: Optional[str] = None
    key_pairs: Tuple[KeyPair, ...] = ()
    security_groups: Tuple[SecurityGroup, ...] = ()
    instances: Tuple[Instance, ...] = ()
    volumes: Tuple[Volume, ...] = ()
    elastic_ips: Tuple[ElasticIp, ...] = ()
    #: Whether what the fleet owns is looked through as a whole, so that what is no longer declared is seen.
    whole: bool = False
    prune: bool = False
    #: Whether what exists under a declared name and belongs to no fleet becomes this fleet's.
    adopt: bool = False
    delete_volumes: Any = False
    max_deletions: Optional[int] = None
    purge_tags: bool = True
    my_ip: Optional[str] = None

    def __post_init__(self) -> None:
        for kind in ("key_pairs", "security_groups", "instances", "volumes", "elastic_ips"):
            _unique(kind, [resource.name for resource in getattr(self, kind)])


def image(option: Any) -> Optional[Image]:
    """The image meant by an option that is an id or a mapping of id, or of name and owner."""
    if option is None:
        return None
    if isinstance(option, Mapping):
        filters = option.get("filters") or {}
        unknown = sorted(set(option) - {"id", "name", "owner", "filters"})
        if unknown or bool(option.get("id")) == bool(option.get("name") or filters) or not isinstance(filters, Mapping):
            raise InvalidInput(
                "an image is given by id, or by name and owner, or by filters and owner",
                found=repr(dict(option)),
                do='Write image: ami-…, or image: {name: "debian-12-amd64-*", owner: "136693071363"}.',
            )
        owner = option.get("owner")
        return Image(option.get("id"), option.get("name"), None if owner is None else str(owner), _filters(filters))
    if not str(option).startswith("ami-"):
        raise InvalidInput(
            f"{option!r} is not the id of an image",
            do='An id begins with ami-; to choose by name write image: {name: "debian-12-amd64-*", owner: "136693071363"}.',
        )
    return Image(id=str(option))


def _filters(option: Mapping[str, Any]) -> Tuple[Tuple[str, Tuple[str, ...]], ...]:
    """Filters in the API's words: lists of text, underscores as dashes, in order."""
    found = []
    for name, value in option.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        word = str(name) if str(name).startswith("tag:") else str(name).replace("_", "-")
        found.append((word, tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values)))
    return tuple(sorted(found))


def given(options: Mapping[str, Any], names: Iterable[str]) -> Dict[str, Any]:
    """Those of `names` that have a value in `options`."""
    return {name: options[name] for name in names if options.get(name) is not None}


def _unique(kind: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if not name:
            raise InvalidInput("something is declared without a name", resource=kind.replace("_", " "), do="Give it one.")
        if name in seen:
            raise InvalidInput("is declared twice", resource=f"{kind.rstrip('s')} {name}", do="Give each its own name.")
        seen.add(name)

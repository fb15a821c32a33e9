# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security groups decide which ports of a machine answer."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Iterable, Set, Tuple

#: Who connects: everything on this computer comes from here, whichever of its addresses it goes to.
CLIENT = ip_address("127.0.0.1")
#: Ports that are opened where a rule allows more than MANY at once, or all traffic.
WELL_KNOWN = frozenset(
    {
        22,
        25,
        53,
        80,
        110,
        143,
        389,
        443,
        465,
        587,
        993,
        995,
        3000,
        3306,
        5000,
        5432,
        6379,
        8000,
        8080,
        8081,
        8443,
        8888,
        9000,
        9090,
        9093,
        9100,
        9200,
        11211,
        27017,
    }
)
MANY = 64


@dataclass(frozen=True)
class Rule:
    """One permission to come in."""

    protocol: str
    first: int
    last: int
    source: str


def ports_of(rule: Rule) -> Set[int]:
    """The TCP ports that a rule opens to the client of the sandbox."""
    if not admits(rule.source) or rule.protocol not in ("tcp", "-1"):
        return set()
    if rule.protocol == "-1":
        return set(WELL_KNOWN)
    if rule.last - rule.first < MANY:
        return set(range(max(rule.first, 1), rule.last + 1))
    return {port for port in WELL_KNOWN if rule.first <= port <= rule.last}


def admits(source: str) -> bool:
    """Whether a source (a CIDR) includes the client. Another group, or none, does not."""
    try:
        return CLIENT in ip_network(source, strict=False)
    except ValueError:
        return False


def open_ports(rules: Iterable[Rule]) -> Set[int]:
    """All ports that any of the rules opens."""
    return set().union(*(ports_of(rule) for rule in rules)) if rules else set()


def rules_of(instance: Any, backend: Any) -> "list[Rule]":
    """The permissions of all groups of an instance; a prefix list counts for each of its entries."""
    rules = []
    for group in instance.security_groups:
        for rule in group.ingress_rules:
            sources = [rule.cidr_ipv4] if rule.cidr_ipv4 else _prefixes(rule.prefix_list_id, backend)
            first, last = (0, 65535) if rule.from_port is None else (rule.from_port, rule.to_port)
            rules += [Rule(str(rule.ip_protocol), first, last, source) for source in sources]
    return rules


def doors_of(instance: Any, backend: Any) -> Set[Tuple[str, int]]:
    """What is to answer for an instance: (public address, port)."""
    address = instance.public_ip
    return {(address, port) for port in open_ports(rules_of(instance, backend))} if address else set()


def _prefixes(prefix_list_id: Any, backend: Any) -> "list[str]":
    found = backend.managed_prefix_lists.get(prefix_list_id) if prefix_list_id else None
    if found is None:
        return []
    return [entry["Cidr"] for entry in found.entries.get(found.version, [])]

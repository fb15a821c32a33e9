# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules of a security group: one protocol, one range of ports, one source each. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..engine.errors import InvalidInput
from ..engine.plan import Ref

MY_IP = "my_ip"
ALL = "-1"
_NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": ALL, "any": ALL, "-1": ALL}
_PORTS = ("tcp", "udp")
_ICMP = ("icmp", "icmpv6")
#: Where the API keeps each kind of source: (list in a permission, its key).
_PLACES = {
    "cidr": ("IpRanges", "CidrIp"),
    "cidr6": ("Ipv6Ranges", "CidrIpv6"),
    "group": ("UserIdGroupPairs", "GroupId"),
    "prefix_list": ("PrefixListIds", "PrefixListId"),
}


@dataclass(frozen=True)
class Rule:
    """One rule. `kind` says what `source` is: cidr, cidr6, group (a declared name, an id or a Ref), prefix_list."""

    protocol: str
    first: Optional[int]
    last: Optional[int]
    kind: str
    source: Any
    description: Optional[str] = None

    @property
    def key(self) -> Tuple[Any, ...]:
        """What makes it the same rule; a description does not."""
        return (self.protocol, self.first, self.last, self.kind, self.source)

    def text(self, names: Mapping[str, str], word: str = "from") -> str:
        """For people and for the diff: `tcp 22 from 192.0.2.7/32 (office)`."""
        protocol = "all protocols" if self.protocol == ALL else self.protocol
        ports = "" if self.first is None else f" {self.first}" if self.first == self.last else f" {self.first}-{self.last}"
        source = self.source.name if isinstance(self.source, Ref) else names.get(self.source, self.source)
        note = f" ({self.description})" if self.description else ""
        return f"{protocol}{ports} {word} {source}{note}"

    def permission(self) -> Dict[str, Any]:
        """The rule as one IpPermission of the API."""
        place, key = _PLACES[self.kind]
        source = {key: self.source, **({"Description": self.description} if self.description else {})}
        ports = {"FromPort": -1, "ToPort": -1} if self.protocol in _ICMP and self.first is None else {}
        if self.first is not None:
            ports = {"FromPort": self.first, "ToPort": -1 if self.last is None else self.last}
        return {"IpProtocol": self.protocol, **ports, place: [source]}


def declared(options: Iterable[Mapping[str, Any]], where: str) -> Tuple[Rule, ...]:
    """The rules that a declaration means; `where` names the group in an error."""
    rules: List[Rule] = []
    for option in options:
        protocol = _NUMBERS.get(str(option.get("protocol") or "tcp").lower(), str(option.get("protocol") or "tcp").lower())
        sources = _sources(option, where)
        for first, last in _ranges(protocol, option.get("ports"), where):
            rules += [Rule(protocol, first, last, kind, source, option.get("description")) for kind, source in sources]
    seen: Dict[Tuple[Any, ...], Rule] = {}
    for rule in rules:
        if seen.setdefault(rule.key, rule).description != rule.description:
            raise InvalidInput("the same rule is declared twice with different descriptions", resource=where, found=rule.text({}))
    return tuple(seen.values())


def from_api(permissions: Iterable[Mapping[str, Any]]) -> Tuple[Rule, ...]:
    """The rules in an answer of the API."""
    rules = []
    for permission in permissions:
        protocol = _NUMBERS.get(str(permission["IpProtocol"]), str(permission["IpProtocol"]))
        first, last = permission.get("FromPort"), permission.get("ToPort")
        if protocol == ALL or (protocol in _ICMP and first in (None, -1)) or (protocol not in _PORTS + _ICMP):
            first = last = None
        for kind, (place, key) in _PLACES.items():
            for entry in permission.get(place) or ():
                rules.append(Rule(protocol, first, last, kind, entry[key], entry.get("Description") or None))
    return tuple(rules)


def with_my_ip(rules: Iterable[Rule], address: Optional[str]) -> Tuple[Rule, ...]:
    """`rules` with the word my_ip replaced by the address of this machine, as the API sees it."""
    if address is None:
        return tuple(rules)
    version = ipaddress.ip_address(address).version
    network = f"{address}/{32 if version == 4 else 128}"
    kind = "cidr" if version == 4 else "cidr6"
    return tuple(replace(rule, kind=kind, source=network) if rule.source == MY_IP else rule for rule in rules)


def texts(rules: Iterable[Rule], names: Mapping[str, str], word: str = "from") -> List[str]:
    """All rules as text, in a stable order; `word` is `to` for traffic that goes out."""

    def order(rule: Rule) -> Tuple[Any, ...]:
        return (rule.protocol, rule.first or 0, rule.last or 0, rule.kind, rule.text(names))

    return [rule.text(names, word) for rule in sorted(rules, key=order)]


def _sources(option: Mapping[str, Any], where: str) -> List[Tuple[str, str]]:
    found = [_network(text, where) for text in option.get("cidr") or ()]
    found += [("group", name) for name in option.get("group") or ()]
    found += [("prefix_list", name) for name in option.get("prefix_list") or ()]
    if not found:
        raise InvalidInput(
            "a rule does not say from where", resource=where, found=repr(_given(option)), do="Give cidr, group or prefix_list."
        )
    return found


def _network(text: str, where: str) -> Tuple[str, str]:
    if text == MY_IP:
        return ("cidr", text)
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a CIDR", resource=where, do=_hint(text)) from None
    return ("cidr" if network.version == 4 else "cidr6", str(network))


def _hint(text: str) -> str:
    try:
        return f"Its network would be {ipaddress.ip_network(text, strict=False)}."
    except ValueError:
        return "Write it as in 192.0.2.0/24, 2001:db8::/32, or my_ip for the address of this machine."


def _ranges(protocol: str, ports: Optional[Iterable[Any]], where: str) -> List[Tuple[Optional[int], Optional[int]]]:
    given = list(ports or ())
    if protocol in _PORTS and not given:
        raise InvalidInput(f"a rule for {protocol} does not say which ports", resource=where, do='Give ports, as in [22, "8000-8010"].')
    if not given:
        return [(None, None)]
    if protocol not in _PORTS:
        raise InvalidInput(f"a rule for {protocol} cannot have ports", resource=where, found=str(given), do="Leave ports out.")
    return [_range(str(port), where) for port in given]


def _range(text: str, where: str) -> Tuple[int, int]:
    first, _dash, last = text.partition("-")
    try:
        low, high = int(first), int(last or first)
    except ValueError:
        low = high = -1
    if not 0 <= low <= high <= 65535:
        raise InvalidInput(
            f"{text!r} is not a port or a range of ports", resource=where, do="Write 22, or 8000-8010; ports go from 0 to 65535."
        )
    return (low, high)


def _given(option: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in option.items() if value is not None}

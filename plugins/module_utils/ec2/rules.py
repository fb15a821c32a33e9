# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules of a security group: one protocol, one range of ports, one source each. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..engine.errors import InvalidInput
from ..engine.plan import Ref

MY_IP = "my_ip"
ALL = "-1"
_NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": ALL, "any": ALL, "-1": ALL}
_PORTS = ("tcp", "udp")
_ICMP = ("icmp", "icmpv6")
_PORT_RANGE = re.compile(r"^\s*([0-9]+)\s*(?:-\s*([0-9]+)\s*)?$")
#: Where the API keeps each kind of source: (list in a permission, its key).
_PLACES = {
    "cidr": ("IpRanges", "CidrIp"),
    "cidr6": ("Ipv6Ranges", "CidrIpv6"),
    "group": ("UserIdGroupPairs", "GroupId"),
    "prefix_list": ("PrefixListIds", "PrefixListId"),
}


@dataclass(frozen=True)
class Rule:
    """One rule. `kind` says what `source` is: cidr, cidr6, group (a name, an id, account/id or a Ref), prefix_list.

    `first` and `last` are ports; for ICMP they are type and code, -1 for any. `description` None is not managed, "" means none.
    """

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
        source = self.source.name if isinstance(self.source, Ref) else names.get(self.source, self.source)
        note = f" ({self.description})" if self.description else ""
        return f"{protocol}{self._range()} {word} {source}{note}"

    def permission(self) -> Dict[str, Any]:
        """The rule as one IpPermission of the API."""
        place, key = _PLACES[self.kind]
        source: Dict[str, Any] = {key: self.source}
        if self.kind == "group" and foreign(self.source):
            account, _slash, group = str(self.source).partition("/")
            source = {"UserId": account, key: group}
        if self.description:
            source["Description"] = self.description
        ports = {"FromPort": -1, "ToPort": -1} if self.protocol in _ICMP and self.first is None else {}
        if self.first is not None:
            ports = {"FromPort": self.first, "ToPort": -1 if self.last is None else self.last}
        return {"IpProtocol": self.protocol, **ports, place: [source]}

    def _range(self) -> str:
        if self.first is None:
            return ""
        if self.protocol in _ICMP:
            return f" type {self.first}" + (f" code {self.last}" if self.last not in (None, -1) else "")
        return f" {self.first}" if self.first == self.last else f" {self.first}-{self.last}"


def declared(options: Iterable[Mapping[str, Any]], where: str) -> Tuple[Rule, ...]:
    """The rules that a declaration means; `where` names the group in an error."""
    rules: List[Rule] = []
    for option in options:
        protocol = _protocol(option.get("protocol"), where)
        sources = _sources(option, where)
        for first, last in _ranges(protocol, option, where):
            rules += [Rule(protocol, first, last, kind, source, option.get("description")) for kind, source in sources]
    return distinct(rules, where)


def distinct(rules: Iterable[Rule], where: str) -> Tuple[Rule, ...]:
    """Each rule once, whatever ways it is written in; raises where two of its descriptions contradict each other."""
    seen: Dict[Tuple[Any, ...], Rule] = {}
    for rule in rules:
        other = seen.setdefault(rule.key, rule)
        if None not in (rule.description, other.description) and rule.description != other.description:
            raise InvalidInput(
                "the same rule is declared twice with different descriptions",
                resource=where,
                found=f"{other.text({})}; {rule.text({})}",
                do="Leave one of them out.",
            )
        if other.description is None:
            seen[rule.key] = rule
    return tuple(seen.values())


def from_api(permissions: Iterable[Mapping[str, Any]], owner: Optional[str] = None) -> Tuple[Rule, ...]:
    """The rules in an answer of the API. A group of another account than `owner` reads account/id."""
    rules = []
    for permission in permissions:
        protocol = _NUMBERS.get(str(permission["IpProtocol"]), str(permission["IpProtocol"]))
        first, last = permission.get("FromPort"), permission.get("ToPort")
        if protocol == ALL or (protocol in _ICMP and first in (None, -1)) or (protocol not in _PORTS + _ICMP):
            first = last = None
        for kind, (place, key) in _PLACES.items():
            for entry in permission.get(place) or ():
                source = entry[key]
                if kind == "group" and owner and entry.get("UserId") not in (None, "", owner):
                    source = f"{entry['UserId']}/{source}"
                rules.append(Rule(protocol, first, last, kind, _canonical(kind, source), entry.get("Description") or None))
    return tuple(rules)


def foreign(source: Any) -> bool:
    """Whether `source` is a group of an account named with it: 123456789012/sg-0123456789abcdef0."""
    return isinstance(source, str) and "/" in source


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
    found = [_network(text.strip(), where) for text in option.get("cidr") or ()]
    found += [("group", _group(name.strip(), where)) for name in option.get("group") or ()]
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


def _group(name: str, where: str) -> str:
    account, slash, group = name.partition("/")
    if slash and not (group.startswith("sg-") and account):
        raise InvalidInput(
            f"{name!r} is not a security group",
            resource=where,
            do="Write a name, an id, or 123456789012/sg-… for a group of another account.",
        )
    return name


def _canonical(kind: str, source: Any) -> Any:
    """IPv6 networks have many spellings; all are one."""
    if kind != "cidr6":
        return source
    try:
        return str(ipaddress.ip_network(source, strict=False))
    except ValueError:
        return source


def _protocol(option: Any, where: str) -> str:
    word = str(option if option is not None else "tcp").strip().lower()
    protocol = _NUMBERS.get(word, word)
    if protocol in (ALL, *_PORTS, *_ICMP) or (protocol.isdigit() and int(protocol) <= 255):
        return protocol
    do = "Write tcp, udp, icmp, icmpv6, all, or the number of a protocol, as in 50 for ESP."
    raise InvalidInput(f"{option!r} is not a protocol", resource=where, do=do)


def _ranges(protocol: str, option: Mapping[str, Any], where: str) -> List[Tuple[Optional[int], Optional[int]]]:
    """The ranges of ports of a rule, or its type and code."""
    given = list(option.get("ports") or ())
    kind, code = option.get("icmp_type"), option.get("icmp_code")
    if protocol not in _ICMP and (kind is not None or code is not None):
        raise InvalidInput(
            f"a rule for {protocol} cannot have icmp_type or icmp_code", resource=where, do="Set protocol to icmp or icmpv6."
        )
    if protocol in _PORTS and not given:
        raise InvalidInput(f"a rule for {protocol} does not say which ports", resource=where, do='Give ports, as in [22, "8000-8010"].')
    if protocol in _PORTS:
        return [_range(str(port), where) for port in given]
    if given:
        do = "Leave ports out; icmp_type and icmp_code choose messages." if protocol in _ICMP else "Leave ports out."
        raise InvalidInput(f"a rule for {protocol} cannot have ports", resource=where, found=str(given), do=do)
    return [_message(kind, code, where)]


def _message(kind: Optional[int], code: Optional[int], where: str) -> Tuple[Optional[int], Optional[int]]:
    """Type and code of ICMP; left out and -1 mean all."""
    kind, code = -1 if kind is None else kind, -1 if code is None else code
    if not (-1 <= kind <= 255 and -1 <= code <= 255) or (kind == -1 and code != -1):
        do = "Both go from 0 to 255, -1 means all, and a code needs a type."
        raise InvalidInput("icmp_type and icmp_code cannot be meant", resource=where, found=f"{kind}, {code}", do=do)
    return (None, None) if kind == -1 else (kind, code)


def _range(text: str, where: str) -> Tuple[int, int]:
    written = _PORT_RANGE.match(text)
    low, high = (int(written.group(1)), int(written.group(2) or written.group(1))) if written else (-1, -1)
    if not 0 <= low <= high <= 65535:
        raise InvalidInput(
            f"{text!r} is not a port or a range of ports", resource=where, do="Write 22, or 8000-8010; ports go from 0 to 65535."
        )
    return (low, high)


def _given(option: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in option.items() if value is not None}

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2's XML as the values that botocore makes of it, by botocore's own description of the answer, in a part of the time. Pure.

botocore walks through the description again for each element and looks at each name with a regular expression. Here the description
becomes a table from tag to reader once, and what nobody asks for is not read. Ten thousand instances make the difference.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from xml.etree import ElementTree

#: Members that are needed, each with those needed of it in turn; None: all of them.
Needed = Optional[Mapping[str, Any]]
Read = Callable[[Any], Any]


class Unreadable(Exception):
    """The answer has something that this reader does not know; botocore has to read it."""


class Reader:
    """Reads the answers whose shapes are in `needed`: {name of the output shape: its needed members}."""

    def __init__(self, needed: Mapping[str, Needed]) -> None:
        self._needed = needed
        self._readers: Dict[Tuple[str, str], Read] = {}

    def read(self, shape: Any, body: bytes) -> Optional[Dict[str, Any]]:
        """The parsed answer; None if it is one for botocore."""
        if shape is None or shape.name not in self._needed:
            return None
        try:
            root = ElementTree.fromstring(body)  # noqa: S314 - as botocore does, and of the same sender
            space = root.tag[: root.tag.index("}") + 1] if root.tag.startswith("{") else ""
            key = (shape.name, space)
            if key not in self._readers:
                self._readers[key] = _reader(shape, space, self._needed[shape.name])
            found: Dict[str, Any] = self._readers[key](root)
        except (ElementTree.ParseError, Unreadable, ValueError):
            return None
        return found


def _reader(shape: Any, space: str, needed: Needed) -> Read:
    if shape.type_name == "structure":
        return _structure(shape, space, needed)
    if shape.type_name == "list":
        return _list(shape, space, needed)
    if shape.type_name not in _SCALARS:
        raise Unreadable(shape.type_name)
    return _SCALARS[shape.type_name]


def _structure(shape: Any, space: str, needed: Needed) -> Read:
    table: Dict[str, Tuple[str, Read]] = {}
    members = {name: member for name, member in shape.members.items() if needed is None or name in needed}
    for name, member in members.items():
        if member.serialization.get("flattened") or member.serialization.get("location"):
            raise Unreadable(name)
        table[space + (member.serialization.get("name") or name)] = (name, _reader(member, space, needed[name] if needed else None))

    def read(node: Any) -> Dict[str, Any]:
        found = {}
        for child in node:
            entry = table.get(child.tag)
            if entry is not None:
                found[entry[0]] = entry[1](child)
        return found

    return read


def _list(shape: Any, space: str, needed: Needed) -> Read:
    read_item = _reader(shape.member, space, needed)

    def read(node: Any) -> List[Any]:
        return [read_item(child) for child in node]

    return read


def _text(node: Any) -> str:
    """Most values come again in thousands of instances; each is kept once."""
    return intern(node.text) if node.text else ""


def _moment(node: Any) -> datetime:
    return _parsed_moment(node.text or "")


@lru_cache(maxsize=65536)
def _parsed_moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


_SCALARS: Mapping[str, Read] = {
    "string": _text,
    "character": _text,
    "boolean": lambda node: node.text == "true",
    "integer": lambda node: int(node.text or ""),
    "long": lambda node: int(node.text or ""),
    "float": lambda node: float(node.text or ""),
    "double": lambda node: float(node.text or ""),
    "timestamp": _moment,
}

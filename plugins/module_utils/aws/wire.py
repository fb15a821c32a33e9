# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2's Query API as text: requests as forms, XML as the values that botocore makes of it, in a part of the time. Pure.

botocore walks through its description of the answer again for each element and looks at each name with a regular expression. Here a
description becomes a table from tag to reader once, and what nobody asks for is not read. Ten thousand instances make the difference;
and for what is needed of an answer, botocore's description of all of EC2 (the larger part of a second) needs not be loaded at all.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple, Union
from urllib.parse import urlencode
from xml.etree import ElementTree

VERSION = "2016-11-15"
#: What an answer is made of: the name of a scalar's type, a list of one kind of items, or a structure as {member: (tag, form)}.
Form = Union[str, List["Form"], Mapping[str, Tuple[str, "Form"]]]
Read = Callable[[Any], Any]
#: Lists of a request whose items the API calls otherwise than botocore.
_LISTS: Mapping[str, str] = {"Filters": "Filter", "Values": "Value"}


class Unreadable(Exception):
    """The answer is broken, or of a form that is not known here."""


def encoded(operation: str, params: Mapping[str, Any]) -> bytes:
    """The body of a request; `params` as botocore takes them: text, numbers, and lists of these or of mappings."""
    return urlencode([("Action", operation), ("Version", VERSION), *_pairs("", params)]).encode()


def _pairs(prefix: str, value: Any) -> Iterator[Tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _pairs(f"{prefix}.{_LISTS.get(name, name)}" if prefix else _LISTS.get(name, name), inner)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value, start=1):
            yield from _pairs(f"{prefix}.{number}", inner)
    else:
        yield prefix, str(value)


def form_of(shape: Any) -> Form:
    """The form of all that botocore describes."""
    if shape.type_name == "structure":
        return {name: (member.serialization.get("name") or name, form_of(member)) for name, member in shape.members.items()}
    return [form_of(shape.member)] if shape.type_name == "list" else str(shape.type_name)


class Reader:
    """Reads the answers whose forms are in `forms`: {operation: form}. Safe to share between threads."""

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self._forms = forms
        self._readers: Dict[Tuple[str, str], Read] = {}

    def read(self, operation: str, body: bytes) -> Dict[str, Any]:
        """The parsed answer; raises Unreadable."""
        try:
            root = ElementTree.fromstring(body)  # noqa: S314 - as botocore does, and of the same sender
            space = root.tag[: root.tag.index("}") + 1] if root.tag.startswith("{") else ""
            key = (operation, space)
            if key not in self._readers:
                self._readers[key] = _reader(self._forms[operation], space)
            found: Dict[str, Any] = self._readers[key](root)
        except (ElementTree.ParseError, KeyError, ValueError) as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from error
        return found


def error_of(body: bytes, status: int) -> Dict[str, str]:
    """Code and message of an answer that says no; where it is no answer of the API, its status and beginning."""
    try:
        found = next((one for one in ElementTree.fromstring(body).iter() if one.tag.endswith("Error")), None)  # noqa: S314
    except ElementTree.ParseError:
        found = None
    if found is None:
        return {"Code": str(status), "Message": " ".join(body[:200].decode(errors="replace").split())}
    texts = {child.tag.rsplit("}", 1)[-1]: child.text or "" for child in found}
    return {"Code": texts.get("Code", str(status)), "Message": texts.get("Message", "")}


def _reader(form: Form, space: str) -> Read:
    if isinstance(form, str):
        return _SCALARS[form]
    return _list(form[0], space) if isinstance(form, list) else _structure(form, space)


def _structure(form: Mapping[str, Tuple[str, Form]], space: str) -> Read:
    table = {space + tag: (name, _reader(inner, space)) for name, (tag, inner) in form.items()}

    def read(node: Any) -> Dict[str, Any]:
        found = {}
        for child in node:
            entry = table.get(child.tag)
            if entry is not None:
                found[entry[0]] = entry[1](child)
        return found

    return read


def _list(form: Form, space: str) -> Read:
    read_item = _reader(form, space)

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

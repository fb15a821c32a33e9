# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2's XML, written several times as fast as moto writes it, for the answers that grow with the number of resources.

The result is the same: names, order and the search for attributes are moto's own, but they are looked up once for
each class of objects instead of once for each value.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from xml.sax.saxutils import escape

from moto.core.serialize import AttributePickerContext, TimestampSerializer, XFormedAttributePicker

Transformers = Mapping[str, Callable[[Any], Any]]
#: Appends the XML of a value under a tag; whether it was anything but an empty structure.
Write = Callable[[Any, str, List[str]], bool]

MISSING = object()
#: Characters that XML has no way to write.
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: The time that EC2 tells to the millisecond, by which snapshots of one second have an order; moto tells all in whole seconds.
EXACT = ".Snapshots.Snapshot.StartTime"
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class Document:
    """Writes the results of one operation."""

    def __init__(self, operation: Any, transformers: Transformers) -> None:
        self._operation = operation
        self._root = Structure(operation.output_shape, f"{operation.name}.{operation.output_shape.name}", operation, transformers)

    def write(self, result: Any, request_id: str) -> str:
        """The whole answer."""
        out: List[str] = []
        self._root.write_members(result, out)
        name = f"{self._operation.name}Response"
        body = "".join(out)
        head = '<?xml version="1.0" encoding="utf-8"?>\n'
        return f'{head}<{name} xmlns="{NAMESPACE}">{body}<requestId>{request_id}</requestId></{name}>'


class Structure:
    """Writes values of one structure of the API, at one place in an answer. Its members are prepared at first use."""

    def __init__(self, shape: Any, path: str, operation: Any, transformers: Transformers) -> None:
        self._shape = shape
        self._path = path
        self._operation = operation
        self._transformers = transformers
        self._members: Optional[List[Tuple[str, str, Any, Optional[Callable[[Any], Any]], Write]]] = None
        self._names: Dict[type, List[Tuple[str, ...]]] = {}

    def write(self, value: Any, tag: str, out: List[str]) -> bool:
        """The structure with its tag."""
        inside: List[str] = []
        self.write_members(value, inside)
        if inside:
            out += (f"<{tag}>", *inside, f"</{tag}>")
        else:
            out.append(f"<{tag}/>")
        return bool(inside)

    def write_members(self, value: Any, out: List[str]) -> None:
        """The members without a tag around them."""
        if self._members is None:
            self._members = self._prepare()
        names = self._names.get(type(value))
        if names is None:
            names = self._names[type(value)] = [self._names_of(key, shape, value) for _, key, shape, _, _ in self._members]
        get = _item if hasattr(value, "__getitem__") else _attribute
        for (tag, _, _, transform, write), candidates in zip(self._members, names, strict=True):
            found = get(value, candidates)
            if transform:
                found = transform(found)
            if found is not None:
                write(found, tag, out)

    def _prepare(self) -> "List[Tuple[str, str, Any, Optional[Callable[[Any], Any]], Write]]":
        members = []
        for key, shape in self._shape.members.items():
            path = f"{self._path}.{key}"
            transform = next((change for end, change in self._transformers.items() if path.endswith(end)), None)
            tag = shape.serialization.get("name", key)
            members.append((tag, key, shape, transform, writer(shape, path, self._operation, self._transformers)))
        return members

    def _names_of(self, key: str, shape: Any, value: Any) -> Tuple[str, ...]:
        """Under which names an object of this class may have a member: moto knows."""
        shape.parent = self._shape
        context = AttributePickerContext(
            obj=value,
            key=key,
            shape=shape,
            operation_model=self._operation,
            service_model=self._operation.service_model,
            key_path=self._path,
        )
        return tuple(dict.fromkeys(XFormedAttributePicker().get_possible_keys(context)))


def writer(shape: Any, path: str, operation: Any, transformers: Transformers) -> Write:
    """The function that writes values of a shape."""
    if shape.type_name == "structure":
        return Structure(shape, path, operation, transformers).write
    if shape.type_name == "list":
        return _list_writer(shape, path, operation, transformers)
    return _scalar_writer(_milliseconds if path.endswith(EXACT) else SCALARS[shape.type_name], shape)


def _list_writer(shape: Any, path: str, operation: Any, transformers: Transformers) -> Write:
    member = shape.member
    write_item = writer(member, f"{path}.{member.name}", operation, transformers)
    item_tag = member.serialization.get("name", "member")
    flattened = shape.is_flattened

    def write(values: Any, tag: str, out: List[str]) -> bool:
        inside: List[str] = []
        for value in values:
            start = len(inside)
            # An item with nothing in it is left out, as moto does.
            if value is None or not write_item(value, tag if flattened else item_tag, inside):
                del inside[start:]
        if flattened:
            out += inside
        elif inside:
            out += (f"<{tag}>", *inside, f"</{tag}>")
        else:
            out.append(f"<{tag}/>")
        return True

    return write


def _scalar_writer(text: Callable[[Any, Any], str], shape: Any) -> Write:
    def write(value: Any, tag: str, out: List[str]) -> bool:
        shown = text(value, shape)
        out.append(f"<{tag}>{shown}</{tag}>" if shown else f"<{tag}/>")
        return True

    return write


def _string(value: Any, shape: Any) -> str:
    return escape(NOT_XML.sub("", str(value)))


def _timestamp(value: Any, shape: Any) -> str:
    holder: Dict[str, Any] = {}
    TimestampSerializer(TimestampSerializer.TIMESTAMP_FORMAT_ISO8601_ZEROED).serialize(holder, value, shape, "t")
    return escape(str(holder["t"]))


def _milliseconds(value: Any, shape: Any) -> str:
    return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _blob(value: Any, shape: Any) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


SCALARS: Dict[str, Callable[[Any, Any], str]] = {
    "string": _string,
    "integer": lambda value, shape: str(int(value)),
    "long": lambda value, shape: str(int(value)),
    "float": lambda value, shape: str(float(value)),
    "double": lambda value, shape: str(float(value)),
    "boolean": lambda value, shape: "true" if str(value).lower() == "true" else "false",
    "timestamp": _timestamp,
    "blob": _blob,
}


def _attribute(value: Any, names: Tuple[str, ...]) -> Any:
    for name in names:
        found = getattr(value, name, MISSING)
        if found is not MISSING:
            return found
    return None


def _item(value: Any, names: Tuple[str, ...]) -> Any:
    for name in names:
        try:
            return value[name]
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    return None

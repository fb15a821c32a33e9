# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that is none: it cannot be written as UTF-8, so it can neither be sent nor compared. Pure."""

from __future__ import annotations

from typing import Any, Mapping

from ..engine.errors import InvalidInput

#: Names of files may hold bytes that are no text; they are only opened.
_FILES = ("private_key_file", "user_data_file", "ca_bundle")


def refuse_half_characters(value: Any, where: str, path: str = "") -> None:
    """Raise InvalidInput for the first text anywhere in `value` with a lone surrogate; `where` is the resource, `path` the option."""
    if isinstance(value, str):
        _refuse(value, where, path)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse(str(name), where, path)
            if name not in _FILES:
                refuse_half_characters(inner, where, f"{path}.{name}" if path else str(name))
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            refuse_half_characters(inner, where, f"{path}[{number}]")


def _refuse(text: str, where: str, path: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"its {path or 'options'} is no text",
            resource=where.encode("utf-8", "backslashreplace").decode("utf-8"),
            found=f"half a character (\\u{ord(text[error.start]):x}) at position {error.start}",
            do="Write it in UTF-8; user data that are no text go into user_data_base64 or user_data_file.",
        ) from None

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must not be shown: known secrets, what looks like one, and what is named like one. Keyed hashes stand for them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "(hidden)"
#: A shorter secret would also be found in half of all other words.
SHORTEST = 4
#: A longer value is cut: a report is to be read, and a record has to stay small.
LONGEST = 1000

#: Names of attributes and options whose values are secret.
NAMED = re.compile(r"(?i)pass(?:word|wd|phrase)?$|secret|token|api_?key|private_?key$|credential|^authorization$|^user_?data$")

#: What looks like a secret wherever it stands; group 1 stays.
PATTERNS = (
    re.compile(r"(-----BEGIN )[A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)"),  # ://user:password@
    re.compile(r"((?:\b|_)(?:A3T[A-Z0-9]|AKIA|ASIA))[A-Z0-9]{16}\b"),  # key ids of AWS
    re.compile(r"((?i:bearer|basic) )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"((?i:pass(?:word|wd|phrase)?|secret(?:[_-]?(?:access)?[_-]?key)?|token|api[_-]?key)[\"']?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;}]+)"
    ),
    re.compile(r"(\$ANSIBLE_VAULT;)[0-9A-Za-z.;\s]+"),
    re.compile(r"([?&](?i:x-amz-signature|x-amz-security-token|signature|sig)=)[^&\s]+"),  # signed addresses
    re.compile(r"(https://hooks\.slack\.com/services/)\S+"),
)

#: Without one of these in a text none of the patterns can match: most texts are short and have none, and one search is cheaper than eight.
_CUES = re.compile(r"(?i)-----BEGIN|://|A3T|AKIA|ASIA|bearer |basic |pass|secret|token|api|\$ANSIBLE_VAULT|sig=|signature")


class Redactor:
    """Hides secrets in values. `key` makes the hashes that stand for them useless to others."""

    def __init__(self, key: bytes, secrets: Iterable[str] = ()) -> None:
        self._key = key
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """From now on these texts are hidden wherever they stand, and each of their lines and JSON spellings."""
        found = set(self._secrets)
        for secret in secrets:
            for text in (secret, secret.strip(), *secret.splitlines()):
                found |= {spelt for spelt in (text, json.dumps(text)[1:-1]) if len(spelt) >= SHORTEST}
        if found != self._secrets:
            self._secrets = found
            self._known = re.compile("|".join(re.escape(secret) for secret in sorted(found, key=len, reverse=True)))

    def hash(self, value: Any) -> str:
        """A short hash of `value` that only the owner of the key can compare."""
        text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]

    def text(self, text: str, longest: int = LONGEST) -> str:
        """`text` without secrets, cut after `longest` characters (after hiding, so that half a secret is never left)."""
        if self._known:
            text = self._known.sub(HIDDEN, text)
        if _CUES.search(text):
            for pattern in PATTERNS:
                text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest} more characters)"

    def value(self, value: Any, name: str = "") -> Any:
        """`value` without secrets, as JSON-ready data; whole where `name` says that it is a secret."""
        if value is None or isinstance(value, (bool, int, float)):
            return HIDDEN if name and NAMED.search(name) and value is not None else value
        if name and NAMED.search(name):
            return f"{HIDDEN[:-1]} {self.hash(value)})" if value else value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item, str(key)) for key, item in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.value(item) for item in value]
        return self.text(str(value))

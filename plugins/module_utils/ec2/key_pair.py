# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key pairs: made on this machine, only their public half travels. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import key_files
from .context import Context, protect, tag_steps, unchanged
from .declaration import KeyPair
from .key_files import KeyFile
from .world import Facts

KIND = "key_pair"
GENERATE = "ssh-keygen"


def plan(desired: KeyPair, context: Context) -> Change:
    """What has to happen to one key pair."""
    actual = context.world.key_pair(desired.name)
    context.foreign(KIND, actual, desired.name)
    _check(desired)
    there = context.world.key_files.get(desired.private_key_file or "")
    if actual is None:
        return _create(desired, context, there)
    _compare(desired, actual, there)
    before = _shown(actual, desired.private_key_file)
    wanted = context.tags(actual, desired.tags, desired.name)
    if wanted == actual["tags"]:
        return unchanged(KIND, desired.name, before)
    steps = tuple(tag_steps([actual["id"]], actual["tags"], wanted))
    return Change(KIND, desired.name, "update", before, {**before, "tags": wanted}, ("its tags differ",), steps)


def delete(actual: Facts) -> Change:
    """Remove it from the account; the private key file stays where it is."""
    protect(KIND, actual["name"], actual["tags"])
    step = Step("DeleteKeyPair", {"KeyName": actual["name"]})
    return Change(KIND, actual["name"], "delete", _shown(actual, None), None, ("is declared absent",), (step,))


def _create(desired: KeyPair, context: Context, there: Optional[KeyFile]) -> Change:
    where = f"{KIND} {desired.name}"
    steps: List[Step] = []
    material: Any = desired.public_key or (there and there.public_key)
    key_type = material.split()[0].replace("ssh-", "") if material else desired.key_type or "ed25519"
    if not material:
        if there is None:
            raise InvalidInput(
                "does not exist, and the declaration does not say how to make it",
                resource=where,
                do="Give private_key_file, where a new private key is kept, or public_key to import one.",
            )
        if there.problem:
            raise InvalidInput(
                f"the private key cannot be written: {there.problem}",
                resource=where,
                wanted=there.path,
                do="Create the directory (mode 0700), or name another file.",
            )
        steps.append(Step(GENERATE, {"path": there.path, "type": key_type, "comment": desired.name}))
        material = Ref(KIND, desired.name, "public_key")
    tags = context.new_tags(desired.name, desired.tags, by_own_name=True)
    request: Dict[str, Any] = {"KeyName": desired.name, "PublicKeyMaterial": material}
    if tags:
        request["TagSpecifications"] = [tag_words.specification("key-pair", tags)]
    steps.append(Step("ImportKeyPair", request))
    after = {
        "id": UNKNOWN,
        "name": desired.name,
        "type": key_type,
        "fingerprint": UNKNOWN,
        "tags": tags,
        "private_key_file": desired.private_key_file,
    }
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _check(desired: KeyPair) -> None:
    where = f"{KIND} {desired.name}"
    if desired.public_key is None:
        return
    words = desired.public_key.split()
    if len(words) < 2 or words[0] not in ("ssh-ed25519", "ssh-rsa"):
        raise InvalidInput(
            "public_key is not the public half of an RSA or ED25519 key",
            resource=where,
            do="Give the one line of a .pub file; it begins with ssh-ed25519 or ssh-rsa.",
        )


def _compare(desired: KeyPair, actual: Facts, there: Optional[KeyFile]) -> None:
    """Refuse where the account's key is another one than is declared, or its private half is lost."""
    where = f"{KIND} {desired.name}"
    in_account = actual["public_key"]
    if desired.public_key and in_account and not key_files.same(desired.public_key, in_account):
        raise Refused(
            "is another key in the account than public_key",
            resource=where,
            found=f"fingerprint {actual['fingerprint']}",
            do="Give the new key another name; instances keep the key they were launched with.",
        )
    if there is None:
        return
    if there.public_key is None:
        raise Refused(
            "is in the account, but its private key file is not here, and AWS cannot give it out again",
            resource=where,
            wanted=there.path,
            found=f"fingerprint {actual['fingerprint']}",
            do="Bring the file from where it was made, take another name, or delete the key pair (state: absent) and run again.",
        )
    if in_account and not key_files.same(there.public_key, in_account):
        raise Refused(
            "is another key in the account than the private key file",
            resource=where,
            wanted=there.path,
            found=f"fingerprint {actual['fingerprint']}",
            do="Bring the right file, or choose another name.",
        )


def _shown(actual: Facts, path: Optional[str]) -> Dict[str, Any]:
    return {**{name: actual[name] for name in ("id", "name", "type", "fingerprint", "tags")}, "private_key_file": path}

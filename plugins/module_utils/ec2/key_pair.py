# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key pairs: made on this machine, only their public half travels. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import fingerprint, key_files
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
    there = context.world.key_files.get(desired.private_key_file or "")
    _check(desired, there)
    if actual is None:
        return _create(desired, context, there)
    notes = _compare(desired, actual, there)
    before = _shown(actual, desired.private_key_file)
    wanted = context.tags(actual, desired.tags, desired.name)
    if wanted == actual["tags"]:
        return unchanged(KIND, desired.name, before, notes)
    steps = tuple(tag_steps([actual["id"]], actual["tags"], wanted))
    return Change(KIND, desired.name, "update", before, {**before, "tags": wanted}, ("its tags differ",), steps, notes=notes)


def delete(actual: Facts) -> Change:
    """Remove it from the account; the private key file stays where it is."""
    protect(KIND, actual["name"], actual["tags"])
    step = Step("DeleteKeyPair", {"KeyName": actual["name"]})
    return Change(KIND, actual["name"], "delete", _shown(actual, None), None, ("is declared absent",), (step,))


def _create(desired: KeyPair, context: Context, there: Optional[KeyFile]) -> Change:
    where = f"{KIND} {desired.name}"
    steps: List[Step] = []
    material: Any = (desired.public_key or "").strip() or (there and there.public_key)
    key_type = fingerprint.kind(material) if material else desired.key_type or "ed25519"
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


def _check(desired: KeyPair, there: Optional[KeyFile]) -> None:
    """Refuse what is no key, or a key of another kind than declared."""
    where = f"{KIND} {desired.name}"
    if desired.public_key is not None and fingerprint.kind(desired.public_key) is None:
        raise InvalidInput(
            "public_key is not the public half of an RSA or ED25519 key",
            resource=where,
            do="Give the one line of a .pub file; it begins with ssh-ed25519 or ssh-rsa.",
        )
    for source, public in (("public_key", desired.public_key), ("the private key file", there and there.public_key)):
        found = fingerprint.kind(public) if public else None
        if desired.key_type and found and found != desired.key_type:
            raise InvalidInput(
                f"{source} is of another kind than key_type", resource=where, wanted=desired.key_type, found=found, do="Leave key_type out."
            )


def _compare(desired: KeyPair, actual: Facts, there: Optional[KeyFile]) -> Tuple[str, ...]:
    """Refuse where the account's key is another one than is declared, or its private half is lost; notes about what nobody can tell."""
    where, found = f"{KIND} {desired.name}", f"fingerprint {actual['fingerprint']}"
    if there and there.public_key is None:
        raise Refused(
            "is in the account, but its private key file is not here, and AWS cannot give it out again",
            resource=where,
            wanted=there.path,
            found=found,
            do="Bring the file from where it was made, take another name, or delete the key pair (state: absent) and run again.",
        )
    if desired.key_type and actual["type"] and desired.key_type != actual["type"]:
        do = "Leave key_type out, or give the new key another name."
        raise Refused("is a key of another kind in the account", resource=where, wanted=desired.key_type, found=actual["type"], do=do)
    notes = []
    if desired.public_key:
        same = _same(desired.public_key, fingerprint.fingerprints(desired.public_key), actual)
        do = "Give the new key another name; instances keep the key they were launched with."
        if same is False:
            raise Refused("is another key in the account than public_key", resource=where, found=found, do=do)
        notes += [] if same else [f"whether it is public_key cannot be told from its {found}"]
    if there and there.public_key:
        same = _same(there.public_key, there.fingerprints, actual)
        if same is False:
            do = "Bring the right file, or choose another name."
            raise Refused("is another key in the account than the private key file", resource=where, wanted=there.path, found=found, do=do)
        notes += [] if same else [f"whether it is the key in {there.path} cannot be told from its {found}"]
    return tuple(notes)


def _same(public_key: str, known: Tuple[str, ...], actual: Facts) -> Optional[bool]:
    """Whether the account has this key: by the public half where the API gives it, else by the fingerprint; None where neither tells."""
    if actual["public_key"]:
        return key_files.same(public_key, actual["public_key"])
    return fingerprint.matches(known, actual["fingerprint"])


def _shown(actual: Facts, path: Optional[str]) -> Dict[str, Any]:
    return {**{name: actual[name] for name in ("id", "name", "type", "fingerprint", "tags")}, "private_key_file": path}

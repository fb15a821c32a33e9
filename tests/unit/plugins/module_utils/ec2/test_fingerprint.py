# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fingerprints as EC2 shows them, checked against another implementation of each step."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import fingerprint
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as some

FORMATS = {"openssh": [], "pkcs1": ["-m", "PEM"], "pkcs8": ["-m", "PKCS8"]}


def keygen(path: Path, kind: str, *more: str) -> tuple[str, str]:
    """The public line and the private text of a new key."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "me", "-f", path, *more], check=True)
    return path.with_suffix(".pub").read_text(), path.read_text()


def colons(digest: str) -> str:
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


@pytest.mark.parametrize("form", FORMATS)
def test_the_fingerprints_of_rsa_keys(form: str, tmp_path: Path) -> None:
    """MD5 of the public half in DER for imported keys, SHA-1 of PKCS#8 for keys made by AWS, in whatever form the file is."""
    public, private = keygen(tmp_path / "key", "rsa", "-b", "2048", *FORMATS[form])
    load = serialization.load_ssh_private_key if form == "openssh" else serialization.load_pem_private_key
    key = load(private.encode(), None)
    der, info = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    pkcs8 = key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    imported = colons(hashlib.md5(key.public_key().public_bytes(der, info)).hexdigest())  # noqa: S324
    made = colons(hashlib.sha1(pkcs8).hexdigest())  # noqa: S324
    assert fingerprint.fingerprints(public, private)[1:] == (imported, made)
    assert fingerprint.fingerprints(public)[1:] == (imported,)
    assert fingerprint.kind(public) == "rsa"


def test_the_fingerprint_of_an_ed25519_key(tmp_path: Path) -> None:
    """SHA-256 as ssh-keygen shows it; EC2 leaves its prefix out and pads it."""
    public, private = keygen(tmp_path / "key", "ed25519")
    [ours] = fingerprint.fingerprints(public, private)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert fingerprint.matches([ours], shown)
    assert fingerprint.matches([ours], shown.removeprefix("SHA256:") + "=")
    assert fingerprint.kind(public) == "ed25519"


def test_another_key_does_not_match(tmp_path: Path) -> None:
    """Neither the same kind of key nor another one."""
    one = fingerprint.fingerprints(*keygen(tmp_path / "one", "ed25519"))
    other = fingerprint.fingerprints(*keygen(tmp_path / "other", "ed25519"))
    assert fingerprint.matches(one, other[0]) is False
    assert fingerprint.matches(one, colons("ab" * 16)) is False


def test_a_key_that_aws_made_cannot_be_told_by_its_public_half(tmp_path: Path) -> None:
    """Its fingerprint is of the private half: no answer is better than a wrong one."""
    public, private = keygen(tmp_path / "key", "rsa", "-b", "2048")
    made = fingerprint.fingerprints(public, private)[2]
    assert fingerprint.matches(fingerprint.fingerprints(public), made) is None
    assert fingerprint.matches(fingerprint.fingerprints(public, private), made.upper()) is True
    assert fingerprint.matches(fingerprint.fingerprints(public, private), colons("ab" * 20)) is False
    assert fingerprint.matches(fingerprint.fingerprints(public), None) is None


@pytest.mark.parametrize(
    "text", ["", "ssh-rsa", "ssh-rsa AAAA", "ssh-ed25519 !!!!", "ecdsa-sha2-nistp256 AAAA", "-----BEGIN RSA PRIVATE KEY-----"]
)
def test_what_is_no_public_key(text: str) -> None:
    """Halves of lines, other kinds and private keys are no public keys that EC2 takes."""
    assert fingerprint.kind(text) is None


def test_a_key_of_one_kind_under_the_name_of_another() -> None:
    """What the line says and what is in it must agree."""
    blob = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x01a").decode()
    assert fingerprint.kind(f"ssh-ed25519 {blob}") == "ed25519"
    assert fingerprint.kind(f"ssh-rsa {blob}") is None


@given(some.binary(max_size=60))
def test_nothing_that_looks_like_a_key_breaks_it(data: bytes) -> None:
    """Damaged keys have no kind and no third fingerprint; they are no reason for a traceback."""
    assert fingerprint.kind("ssh-rsa " + base64.b64encode(data).decode()) in (None, "rsa")
    text = base64.b64encode(data).decode()
    for head in ("RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PRIVATE KEY"):
        fingerprint._pkcs8(f"-----BEGIN {head}-----\n{text}\n-----END {head}-----\n")

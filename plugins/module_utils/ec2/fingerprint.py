# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fingerprints that EC2 shows, computed from a key on this machine, so that no key has to travel to be compared. Pure.

EC2 has three forms (EC2 User Guide, "Verify the fingerprint"): SHA-256 of the public half for ED25519; MD5 of the public half in DER for an
RSA key that was imported; SHA-1 of the private half in PKCS#8 for an RSA key that AWS made. The last one needs the private half.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import Iterable, List, Optional, Tuple

#: AlgorithmIdentifier of RSA: rsaEncryption (1.2.840.113549.1.1.1) with NULL, in DER.
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
_MAGIC = b"openssh-key-v1\0"
_KINDS = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}
#: Colons in what EC2 shows: a SHA-1 has 20 bytes, an MD5 16, and a SHA-256 is in base64.
_SHA1_COLONS, _KNOWN_COLONS = 19, (0, 15, 19)


def kind(public_key: str) -> Optional[str]:
    """`ed25519` or `rsa` for the line of a public key; None where it is neither, or not whole."""
    words = public_key.split()
    if len(words) < 2 or words[0] not in _KINDS:
        return None
    try:
        fields = _fields(base64.b64decode(words[1], validate=True))
    except (binascii.Error, ValueError):
        return None
    return _KINDS[words[0]] if fields[:1] == [words[0].encode("ascii")] and len(fields) > 1 else None


def fingerprints(public_key: str, private_key: Optional[str] = None) -> Tuple[str, ...]:
    """All that EC2 may show for this key; the one of a key that AWS made only with the text of its unencrypted private half."""
    blob = base64.b64decode(public_key.split()[1])
    found = [base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii")]
    if kind(public_key) == "rsa":
        _name, exponent, modulus = _fields(blob)[:3]
        found.append(_colons(_md5(_public_der(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")))))
        pkcs8 = _pkcs8(private_key) if private_key else None
        if pkcs8:
            found.append(_colons(hashlib.sha1(pkcs8).hexdigest()))  # noqa: S324 - EC2's choice, no protection hangs on it
    return tuple(found)


def matches(known: Iterable[str], shown: Optional[str]) -> Optional[bool]:
    """Whether EC2's fingerprint `shown` is one of `known`; None where that needs the private half, or its form is unknown."""
    found = _plain(shown or "")
    if not found or found.count(":") not in _KNOWN_COLONS:
        return None
    ours = [_plain(one) for one in known]
    if found in ours:
        return True
    made_by_aws = found.count(":") == _SHA1_COLONS
    return None if made_by_aws and not any(one.count(":") == _SHA1_COLONS for one in ours) else False


def _plain(fingerprint: str) -> str:
    """One spelling: without a prefix and padding, hexadecimal in small letters."""
    if fingerprint.startswith("SHA256:"):
        fingerprint = fingerprint[len("SHA256:") :]
    return fingerprint.lower() if ":" in fingerprint else fingerprint.rstrip("=")


def _colons(digest: str) -> str:
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def _md5(data: bytes) -> str:
    try:
        return hashlib.md5(data).hexdigest()  # noqa: S324 - EC2's choice, no protection hangs on it
    except ValueError:  # a machine in FIPS mode; EC2's fingerprint of imported RSA keys cannot be had there
        return ""


def _fields(blob: bytes) -> List[bytes]:
    """The strings of an SSH structure (RFC 4251, section 5); raises ValueError where it is cut off."""
    found, place = [], 0
    while place < len(blob):
        if place + 4 > len(blob):
            raise ValueError("cut off")
        (length,) = struct.unpack(">I", blob[place : place + 4])
        if place + 4 + length > len(blob):
            raise ValueError("cut off")
        found.append(blob[place + 4 : place + 4 + length])
        place += 4 + length
    return found


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _integers(*numbers: int) -> bytes:
    return _der(0x30, b"".join(_der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers))


def _public_der(modulus: int, exponent: int) -> bytes:
    """SubjectPublicKeyInfo (RFC 5280)."""
    return _der(0x30, _RSA + _der(0x03, b"\0" + _integers(modulus, exponent)))


def _pkcs8(private_key: str) -> Optional[bytes]:
    """The private half as PKCS#8 in DER; None where the text is in no form that is known here."""
    lines = [line.strip() for line in private_key.strip().splitlines()]
    if len(lines) < 3:
        return None
    try:
        body = base64.b64decode("".join(lines[1:-1]))
        if lines[0] == "-----BEGIN PRIVATE KEY-----":
            return body
        if lines[0] == "-----BEGIN RSA PRIVATE KEY-----":
            return _wrapped(body)
        return _wrapped(_from_openssh(body)) if lines[0] == "-----BEGIN OPENSSH PRIVATE KEY-----" else None
    except (binascii.Error, ValueError, struct.error):
        return None


def _wrapped(pkcs1: bytes) -> bytes:
    """PrivateKeyInfo (RFC 5208) around an RSAPrivateKey."""
    return _der(0x30, _der(0x02, b"\0") + _RSA + _der(0x04, pkcs1))


def _from_openssh(body: bytes) -> bytes:
    """RSAPrivateKey (RFC 8017) from OpenSSH's own form (PROTOCOL.key)."""
    if not body.startswith(_MAGIC):
        raise ValueError("not an OpenSSH key")
    rest, head = body[len(_MAGIC) :], []
    for _cipher_kdf_options in range(3):
        (length,) = struct.unpack(">I", rest[:4])
        head.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    if head[0] != b"none":
        raise ValueError("encrypted")
    _public, section = _fields(rest[4:])
    (length,) = struct.unpack(">I", section[8:12])
    place, numbers = 12 + length, []
    for _n_e_d_iqmp_p_q in range(6):
        (length,) = struct.unpack(">I", section[place : place + 4])
        numbers.append(int.from_bytes(section[place + 4 : place + 4 + length], "big"))
        place += 4 + length
    n, e, d, iqmp, p, q = numbers
    return _integers(0, n, e, d, p, q, d % (p - 1), d % (q - 1), iqmp)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can stand on a disk, as the bytes that make blkid see it; each made by hand from the published layout, so no tool is needed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

Made = Callable[[BinaryIO], None]
MIB = 1 << 20


def _at(offset: int, *parts: bytes) -> Made:
    def make(disk: BinaryIO) -> None:
        disk.seek(offset)
        disk.write(b"".join(parts))

    return make


def _crc(data: bytes, polynomial: int, start: int) -> int:
    value = start
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return value


def _lvm(disk: BinaryIO) -> None:
    """The label of a physical volume in the second sector, with its checksum."""
    label = bytearray(512)
    label[:8], label[24:32], label[32:64] = b"LABELONE", b"LVM2 001", b"A" * 32
    struct.pack_into("<QII", label, 8, 1, 0, 32)
    struct.pack_into("<I", label, 16, _crc(bytes(label[20:]), 0xEDB88320, 0xF597A6CF))
    _at(512, bytes(label))(disk)


def _md(disk: BinaryIO) -> None:
    """A member of an array with metadata 1.2, 4 KiB from the start."""
    block = bytearray(256)
    struct.pack_into("<III", block, 0, 0xA92B4EFC, 1, 0)
    block[16:32], block[32:37] = b"\x11" * 16, b"h:md0"
    struct.pack_into("<Q", block, 144, 8)
    checksum = sum(struct.unpack("<64I", bytes(block)))
    struct.pack_into("<I", block, 216, ((checksum & 0xFFFFFFFF) + (checksum >> 32)) & 0xFFFFFFFF)
    _at(4096, bytes(block))(disk)


def _btrfs(disk: BinaryIO) -> None:
    """The superblock at 64 KiB, with its checksum."""
    block = bytearray(4096)
    block[64:72], block[32:48] = b"_BHRfS_M", b"\x22" * 16
    struct.pack_into("<Q", block, 48, 65536)
    struct.pack_into("<II", block, 0x90, 4096, 16384)
    struct.pack_into("<I", block, 0, _crc(bytes(block[32:]), 0x82F63B78, 0xFFFFFFFF) ^ 0xFFFFFFFF)
    _at(65536, bytes(block))(disk)


def _swap(disk: BinaryIO) -> None:
    _at(4086, b"SWAPSPACE2")(disk)
    _at(1024, struct.pack("<II", 1, 1000))(disk)
    _at(1036, b"\x33" * 16)(disk)


def _mbr(kind: int, identity: int = 0x12345678) -> Made:
    entry = struct.pack("<BBBBBBBBII", 0, 0, 2, 0, kind, 0, 0, 0, 2048, 20480)

    def make(disk: BinaryIO) -> None:
        _at(440, struct.pack("<IH", identity, 0), entry)(disk)
        _at(510, b"\x55\xaa")(disk)

    return make


def _zfs(disk: BinaryIO) -> None:
    """As many uberblocks as blkid asks for, which looks for them on disks from 64 MiB on."""
    disk.truncate(72 * MIB)
    for number in range(4):
        _at((128 << 10) + number * 1024, struct.pack("<QQQ", 0x00BAB10C, 5000, number))(disk)


def _ext4(disk: BinaryIO, offset: int = 0, state: int = 1) -> None:
    """A superblock with the features that make an ext4 of an ext2, without the filesystem behind it."""
    block = bytearray(1024)
    struct.pack_into("<IIIIII", block, 0, 1024, 4096, 0, 4000, 1000, 1)
    struct.pack_into("<IIIII", block, 24, 0, 0, 8192, 8192, 1024)
    struct.pack_into("<HH", block, 56, 0xEF53, state)
    struct.pack_into("<I", block, 76, 1)
    struct.pack_into("<IH", block, 84, 11, 256)
    struct.pack_into("<III", block, 92, 0x4, 0x42, 0x8)
    block[104:120] = b"\x44" * 16
    _at(offset + 1024, bytes(block))(disk)


def _xfs(disk: BinaryIO) -> None:
    """A superblock whose sizes fit together, as a look at it asks for."""
    block = bytearray(512)
    struct.pack_into(">4sIQQQ", block, 0, b"XFSB", 4096, 6144, 0, 0)
    block[32:48] = b"\x55" * 16
    struct.pack_into(">QQQQ", block, 48, 3000, 128, 129, 130)
    struct.pack_into(">IIIIIHHHH12s", block, 80, 1, 1536, 4, 0, 1368, 0xB4B4, 512, 512, 8, b"")
    struct.pack_into(">BBBBBBBB", block, 120, 12, 9, 9, 3, 11, 0, 0, 25)
    _at(0, bytes(block))(disk)


def _both(*made: Made) -> Made:
    def make(disk: BinaryIO) -> None:
        for one in made:
            one(disk)

    return make


_LUKS_UUID = b"0e5f5a2c-6a4b-5d0f-9d4e-0b6a1f3c7e21"

#: name of a starting state → (how it is made, words of what is found, the names that have to be given to erase all of it)
SIGNATURES: dict[str, tuple[Made, str, list[str]]] = {
    "LVM": (_lvm, "LVM2_member", ["AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA"]),
    "LUKS1": (_both(_at(0, b"LUKS\xba\xbe\0\1"), _at(168, _LUKS_UUID)), "crypto_LUKS", [_LUKS_UUID.decode()]),
    "LUKS2": (_both(_at(0, b"LUKS\xba\xbe\0\2"), _at(168, _LUKS_UUID)), "crypto_LUKS", [_LUKS_UUID.decode()]),
    "md": (_md, "linux_raid_member", ["11111111-1111-1111-1111-111111111111"]),
    "btrfs": (_btrfs, "btrfs", ["22222222-2222-2222-2222-222222222222"]),
    "swap": (_swap, "swap", ["33333333-3333-3333-3333-333333333333"]),
    "zfs": (_zfs, "zfs_member", ["zfs_member"]),
    "MBR": (_mbr(0x83), "a dos partition table", ["12345678"]),
    "protective MBR only": (_mbr(0xEE, 0), "a PMBR partition table", ["PMBR"]),
    "stale ext4 under a wiped table": (lambda disk: _ext4(disk, MIB), "ext4 .* at 1 MiB", ["44444444-4444-4444-4444-444444444444"]),
    "ISO 9660": (_at(32768, b"\x01CD001\x01"), "iso9660", ["iso9660"]),
    "squashfs": (_at(0, b"hsqs", bytes(24), struct.pack("<HH", 4, 0)), "squashfs", ["squashfs"]),
}
#: Adopted, not refused: what is here is one filesystem of a known kind.
BARE: dict[str, Made] = {"ext4": _ext4, "xfs": _xfs}


def make(disk: Path, made: Made) -> None:
    """Put it on a disk."""
    with disk.open("r+b") as file:
        made(file)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lsblk, fdisk -l, df, findmnt and lsof show, in one look, with the ids and names of volumes. Nothing here writes."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..engine.errors import CommandFailed
from . import devices, fstab, holders, mounts, probe
from .machine import Machine
from .state import MIB, Mount, Signature

Facts = Dict[str, Any]


def look(machine: Machine, names: Mapping[str, str], processes: bool) -> Facts:
    """The disks, mounts, lines of fstab and processes of the machine; `names` are {volume id: declared name}."""
    mounted = mounts.parse(machine.text("/proc/self/mountinfo"))
    table = [line.entry for line in fstab.parse(probe.read_table(machine)) if line.entry]
    disks = [_disk(machine, name, names, mounted) for name in devices.disks(machine)]
    places = [_mount(machine, mount, table) for mount in _seen(mounted) if mount.source.startswith("/dev/")]
    return {
        "disks": disks,
        "mounts": places,
        "fstab": [_line(entry, disks, mounted) for entry in table],
        "processes": _processes(machine, mounted) if processes else [],
    }


# --- disks ------------------------------------------------------------------------------------------------------------


def _disk(machine: Machine, name: str, names: Mapping[str, str], mounted: Iterable[Mount]) -> Facts:
    base = f"/sys/block/{name}"
    inner = [part for part in machine.names(base) if machine.text(f"{base}/{part}/partition")]
    told = probe.fields_of(machine, name, *inner)
    serial = devices.serial_of(machine, name)
    volume = devices.volume_id(serial)
    partitions = [_node(machine, part, f"{base}/{part}", told, mounted) for part in inner]
    facts = _node(machine, name, base, told, mounted)
    ends = [part["start"] + part["size"] for part in partitions]
    return {
        **facts,
        "serial": serial or None,
        "volume": volume or None,
        "name": names.get(volume),
        "attach_name": devices.attach_name(machine, name) or None,
        "model": machine.text(f"{base}/device/model") or None,
        "sector": devices.number(machine, f"{base}/queue/logical_block_size", 512),
        "read_only": machine.text(f"{base}/ro") == "1",
        "behind_partitions": max(facts["size"] - max(ends), 0) if ends else None,
        "partitions": sorted(partitions, key=lambda part: part["start"]),
    }


def _node(machine: Machine, name: str, base: str, told: probe.Fields, mounted: Iterable[Mount]) -> Facts:
    code, fields = (0, told[name]) if name in told else _looked_at(machine, name)
    found = probe.to_signature(code, fields)
    number = machine.text(f"{base}/dev")
    return {
        "device": f"/dev/{name}",
        "size": devices.number(machine, f"{base}/size") * 512,
        "start": devices.number(machine, f"{base}/start") * 512,
        "table": found.table or None,
        "table_uuid": fields.get("PTUUID"),
        "filesystem": found.kind or None,
        "uuid": found.uuid or None,
        "label": found.label or None,
        "partition_type": fields.get("PART_ENTRY_TYPE"),
        "partition_name": fields.get("PART_ENTRY_NAME"),
        "partition_uuid": fields.get("PART_ENTRY_UUID"),
        "carries": _carries(found, code),
        "mounted": [mount.path for mount in mounted if number and mount.number == number],
        "held": list(probe.held_by(machine, name, base)),
    }


def _looked_at(machine: Machine, name: str) -> Tuple[int, Dict[str, str]]:
    """What blkid says; a device that cannot be read is told of, and does not hide the others."""
    try:
        found = probe.low_level(machine, f"/dev/{name}")
        machine.bytes_at(f"/dev/{name}", 0, 1)  # to blkid, what cannot be read is nothing
        return found
    except CommandFailed:
        return -1, {}


def _carries(found: Signature, code: int) -> str:
    if code == -1:
        return "cannot be read"
    if found.unclear:
        return "contradicting signatures"
    return " ".join(part for part in (found.table, found.kind) if part) or "blank"


# --- mounts and fstab -------------------------------------------------------------------------------------------------


def _seen(mounted: Tuple[Mount, ...]) -> List[Mount]:
    """The mounts without those that a later one at the same place hides."""
    return [mount for mount in mounted if mounts.at(mounted, mount.path) is mount]


def _mount(machine: Machine, mount: Mount, table: Iterable[fstab.Entry]) -> Facts:
    facts: Facts = {
        "path": mount.path,
        "source": mount.source,
        "filesystem": mount.kind,
        "options": list(dict.fromkeys(mount.options + mount.super_options)),
        "in_fstab": any(entry.path == mount.path for entry in table),
    }
    try:
        space = os.statvfs(machine.at(mount.path))
    except OSError:
        return {**facts, **dict.fromkeys(("total", "used", "available", "inodes", "inodes_used"))}
    unit = space.f_frsize
    return {
        **facts,
        "total": space.f_blocks * unit,
        "used": (space.f_blocks - space.f_bfree) * unit,
        "available": space.f_bavail * unit,
        "inodes": space.f_files,
        "inodes_used": space.f_files - space.f_ffree,
    }


def _line(entry: fstab.Entry, disks: List[Facts], mounted: Tuple[Mount, ...]) -> Facts:
    here = mounts.at(mounted, entry.path)
    return {
        "source": entry.source,
        "path": entry.path,
        "filesystem": entry.kind,
        "options": list(entry.options),
        "dump": entry.dump,
        "passno": entry.passno,
        "devices": _meant(entry.source, disks),
        "mounted": here is not None,
    }


def _meant(source: str, disks: List[Facts]) -> List[str]:
    """The devices that a source in fstab fits; more than one is a twin, as after a restore from a snapshot."""
    keys = {"UUID": "uuid", "LABEL": "label", "PARTUUID": "partition_uuid", "PARTLABEL": "partition_name"}
    tag, equals, value = source.partition("=")
    nodes = [node for disk in disks for node in (disk, *disk["partitions"])]
    if equals and tag in keys:
        return [node["device"] for node in nodes if node[keys[tag]] == value]
    return [node["device"] for node in nodes if node["device"] == source]


# --- processes --------------------------------------------------------------------------------------------------------


def _processes(machine: Machine, mounted: Tuple[Mount, ...]) -> List[Facts]:
    """Who has files open on mounted disks; the filesystem of `/`, where everything runs, is left out."""
    root = mounts.at(mounted, "/")
    paths: Dict[str, str] = {}
    for mount in mounted:
        if mount.source.startswith("/dev/") and not (root and mount.number == root.number):
            paths.setdefault(mount.number, mount.path)
    found = [
        {
            "mount": paths[device],
            "pid": int(pid),
            "user": holders.user(machine, pid),
            "command": holders.command(machine, pid),
            "path": name,
        }
        for pid in machine.names("/proc")
        if pid.isdigit() and pid != str(os.getpid())
        for device, name in sorted({(device, name) for name, device in holders.used(machine, pid) if device in paths})
    ]
    found += [
        {"mount": path, "pid": 0, "user": "", "command": "", "path": what}
        for what, name in holders.kernel(machine)
        for path in paths.values()
        if holders.below(path)(name)
    ]
    return sorted(found, key=lambda one: (list(paths.values()).index(one["mount"]), one["pid"] == 0))


# --- for people -------------------------------------------------------------------------------------------------------

_HEAD = ("DEVICE", "NAME", "VOLUME", "SIZE", "CARRIES", "LABEL", "UUID", "MOUNTED AT", "USED", "AVAILABLE")


def table(facts: Facts) -> List[str]:
    """The disks and their partitions as lines, then who uses what is mounted."""
    places = {place["path"]: place for place in facts["mounts"]}
    rows: List[Tuple[str, ...]] = [_HEAD]
    for disk in facts["disks"]:
        rows.append(_row(disk, disk["device"], disk["name"], disk["volume"] or disk["serial"], places))
        rows += [_row(part, "  " + part["device"], None, None, places) for part in disk["partitions"]]
        if (disk["behind_partitions"] or 0) > 2 * MIB:
            rows.append(("  (free)", "", "", _size(disk["behind_partitions"]), "", "", "", "", "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(row[column].ljust(widths[column]) for column in range(len(row))).rstrip() for row in rows]
    for one in facts["processes"]:
        who = f"{one['command']} (pid {one['pid']}, user {one['user']}): {one['path']}" if one["pid"] else one["path"]
        lines.append(f"{one['mount']} is used by {who}")
    return lines


def _row(node: Facts, device: str, name: Optional[str], volume: Optional[str], places: Mapping[str, Facts]) -> Tuple[str, ...]:
    where = [*node["mounted"], *node["held"]]
    place = next((places[path] for path in node["mounted"] if path in places), {})
    cells = (name, volume, _size(node["size"]), node["carries"], node["label"], node["uuid"], ", ".join(where))
    return (device, *(cell or "-" for cell in cells), _size(place.get("used")), _size(place.get("available")))


def _size(size: Optional[int]) -> str:
    if size is None:
        return "-"
    for unit, factor in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size} B"

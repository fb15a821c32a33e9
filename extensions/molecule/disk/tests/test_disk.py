# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role data_disk promises of disks; looked at before and after a volume has grown, a mount was read-only, and a reboot."""

from __future__ import annotations

from typing import Any

MIB = 1 << 20
GIB = 1 << 30


def disk_of(host: Any, volume: dict[str, Any]) -> str:
    """The path of the disk that is a volume."""
    listed = host.check_output("lsblk --nodeps --noheadings --paths --output NAME,SERIAL").splitlines()
    (path,) = [line.split()[0] for line in listed if line.split()[-1] == volume["id"].replace("-", "")]
    return str(path)


def test_a_blank_volume_has_one_partition_with_all_of_it(host: Any, variables: dict[str, Any]) -> None:
    """Also after it was enlarged: the filesystem is as large as the volume was declared, but for its own bookkeeping."""
    volume = variables["ec2"]["volumes"]["media"]
    mount = host.mount_point("/srv/media")
    assert (mount.exists, mount.filesystem, mount.device) == (True, "ext4", f"{disk_of(host, volume)}1")
    size = int(host.check_output("lsblk --nodeps --noheadings --bytes --output SIZE %s", mount.device))
    assert volume["size"] * GIB - 2 * MIB <= size < volume["size"] * GIB
    filesystem = int(host.check_output("findmnt --noheadings --bytes --output SIZE /srv/media"))
    assert filesystem > 0.9 * volume["size"] * GIB


def test_what_was_in_the_way_is_on_the_volume(host: Any) -> None:
    """With owner and mode; the old copy stays beside it."""
    picture = host.file("/srv/media/2019/picture.txt")
    assert (picture.content_string, picture.user, picture.group, picture.mode) == ("taken in 2019\n", "www-data", "www-data", 0o640)
    assert host.check_output("cat /srv/media.before-*/2019/picture.txt") == "taken in 2019"


def test_a_filesystem_that_was_there_is_used_as_it_is(host: Any, variables: dict[str, Any]) -> None:
    """It has no partition table and gets none; it can be written."""
    mount = host.mount_point("/srv/legacy")
    assert (mount.exists, mount.device) == (True, disk_of(host, variables["ec2"]["volumes"]["legacy"]))
    assert host.file("/srv/legacy/note.txt").content_string == "from before\n"
    assert "rw" in mount.options


def test_what_is_not_blank_is_as_it_was(host: Any, variables: dict[str, Any]) -> None:
    """Not a byte of its beginning, where a table or a filesystem would be."""
    disk = disk_of(host, variables["ec2"]["volumes"]["foreign"])
    assert host.check_output("head -c 1M %s | sha256sum", disk) == host.file("/var/lib/foreign.sha256").content_string.strip()
    assert not host.mount_point("/srv/foreign").exists


def test_lines_of_others_in_fstab_are_as_they_were(host: Any) -> None:
    """A line with four fields, one for a disk that is not there, and bytes that are not UTF-8; ours is there once for each mount."""
    fstab = host.file("/etc/fstab").content
    assert b"\nUUID=7e57ab1e-0000-4000-8000-000000000004 /srv/gone ext4 nofail,x-systemd.device-timeout=1s\n# caf\xe9\n" in fstab
    assert [fstab.count(b" %s " % path) for path in (b"/srv/media", b"/srv/legacy")] == [1, 1]

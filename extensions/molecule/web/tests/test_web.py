# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the roles promise of a machine; looked at before and after a reboot."""

from __future__ import annotations

from typing import Any

IMAGES = "/var/www/html/images"


def test_the_images_are_on_their_own_disk(host: Any, variables: dict[str, Any]) -> None:
    """The folder is an ext4 filesystem on a partition of the volume that was declared for it."""
    mount = host.mount_point(IMAGES)
    assert mount.exists
    assert mount.filesystem == "ext4"
    volume = variables["ec2"]["volumes"]["images"]["id"]
    disk = host.check_output("lsblk --nodeps --noheadings --output PKNAME %s", mount.device)
    assert host.check_output("lsblk --nodeps --noheadings --output SERIAL /dev/%s", disk) == volume.replace("-", "")


def test_fstab_has_one_line_by_uuid_that_does_not_hold_up_the_boot(host: Any) -> None:
    """A machine whose volume is missing still starts."""
    uuid = host.check_output("findmnt --noheadings --output UUID %s", IMAGES)
    lines = [line.split() for line in host.file("/etc/fstab").content_string.splitlines() if IMAGES in line.split()]
    assert [line[0] for line in lines] == [f"UUID={uuid}"]
    assert "nofail" in lines[0][3].split(",")
    assert host.run("findmnt --verify").rc == 0


def test_what_was_in_the_folder_is_on_the_volume_as_it_was(host: Any) -> None:
    """Content, owner and mode have moved."""
    picture = host.file(f"{IMAGES}/before.svg")
    assert "viewBox" in picture.content_string
    assert (picture.user, picture.group, picture.mode) == ("www-data", "www-data", 0o640)


def test_the_site_and_its_images_are_served(host: Any) -> None:
    """nginx runs, starts with the machine, and answers with the page and with a picture from the volume."""
    assert host.service("nginx").is_running
    assert host.service("nginx").is_enabled
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1%s').read().decode())"
    assert "<title>" in host.check_output("python3 -c %s", ask % "/")
    assert "viewBox" in host.check_output("python3 -c %s", ask % "/images/before.svg")


def test_nginx_waits_for_the_mount(host: Any) -> None:
    """The web server does not serve an empty folder when the volume is late."""
    assert IMAGES in host.check_output("systemctl show --property RequiresMountsFor nginx")

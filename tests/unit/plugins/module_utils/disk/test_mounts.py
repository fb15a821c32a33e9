# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Mounts: mountinfo is understood, and options in force are compared with options asked for."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import mounts
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import Mount
from hypothesis import given
from hypothesis import strategies as st

MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
60 26 254:17 / /srv/my\040data rw,noatime shared:31 master:4 - ext4 /dev/vdb1 ro,commit=30
61 26 254:33 / /srv rw - ext4 /dev/vdc1 rw
not a line
"""


def mount(options: str, super_options: str = "rw") -> Mount:
    """A mount with these options in force."""
    return Mount("254:17", "/srv", tuple(options.split(",")), "ext4", "/dev/vdb1", tuple(super_options.split(",")))


def test_mountinfo_is_parsed_with_optional_fields_and_escapes() -> None:
    """Any number of optional fields stands before the dash; blanks in paths are escaped."""
    found = mounts.parse(MOUNTINFO)
    assert [(one.number, one.path) for one in found] == [("0:21", "/proc"), ("254:1", "/"), ("254:17", "/srv/my data"), ("254:33", "/srv")]
    assert found[2] == Mount("254:17", "/srv/my data", ("rw", "noatime"), "ext4", "/dev/vdb1", ("ro", "commit=30"))
    assert mounts.below(found, "/srv") == (found[2],)
    assert mounts.at(found, "/srv") == found[3]


@given(st.text())
def test_any_mountinfo_is_survived(text: str) -> None:
    """A line that is not understood is left out."""
    mounts.parse(text)


@pytest.mark.parametrize(
    ("asked", "there", "different"),
    [
        ("defaults,nofail,x-systemd.device-timeout=90s", mount("rw,relatime"), {}),
        ("defaults", mount("ro,relatime", "ro"), {"write": ("ro", "rw")}),
        ("defaults", mount("rw,relatime", "ro"), {"write": ("ro", "rw")}),
        ("ro", mount("ro,relatime", "ro"), {}),
        ("noatime", mount("rw,relatime"), {"atime": ("relatime", "noatime")}),
        ("defaults", mount("rw,noatime"), {"atime": ("noatime", "relatime")}),
        ("strictatime", mount("rw"), {}),
        ("nodev,nosuid,noexec", mount("rw,nosuid,nodev,noexec,relatime"), {}),
        ("defaults", mount("rw,nosuid,relatime"), {"suid": ("nosuid", "suid")}),
        ("discard", mount("rw,relatime"), {"discard": ("nodiscard", "discard")}),
        ("commit=30", mount("rw,relatime"), {"commit": ("5", "30")}),
        ("commit=5", mount("rw,relatime"), {}),
        ("errors=remount-ro", mount("rw,relatime", "rw,errors=remount-ro"), {}),
        ("acl,user_xattr", mount("rw,relatime"), {}),
        ("user", mount("rw,nosuid,nodev,noexec,relatime"), {}),
        ("user,exec", mount("rw,nosuid,nodev,noexec,relatime"), {"exec": ("noexec", "exec")}),
        ("group", mount("rw,relatime"), {"suid": ("suid", "nosuid"), "dev": ("dev", "nodev")}),
    ],
)
def test_only_what_differs_in_force_is_a_difference(asked: str, there: Mount, different: dict[str, tuple[str, str]]) -> None:
    """Defaults count as asked for; what the kernel cannot show is not guessed."""
    assert mounts.difference(asked.split(","), there) == different


def test_what_an_option_implies_is_said_to_the_kernel() -> None:
    """mount(8) does so at the next boot: by hand it must not be another mount."""
    assert mounts.kernel_options(["users", "exec", "nofail"]) == ("noexec", "nosuid", "nodev", "exec")


def test_a_remount_says_every_flag() -> None:
    """What a remount leaves unsaid would stay as it is, so the defaults are said too, and the options of others are not."""
    words = mounts.remount_options(["noatime", "nofail", "x-systemd.device-timeout=90s", "commit=30"]).split(",")
    assert {"rw", "suid", "dev", "exec", "noatime", "commit=30"} <= set(words)
    assert not {"nofail", "relatime", "x-systemd.device-timeout=90s"} & set(words)

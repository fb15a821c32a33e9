# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter mount_unit: the names that systemd itself gives to mount points."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.steadfast.ec2.plugins.filter.mount_unit import mount_unit

#: As `systemd-escape --path --suffix=mount` of systemd 252 prints them.
NAMES = {
    "/": "-.mount",
    "/srv": "srv.mount",
    "/var/www/html/images": "var-www-html-images.mount",
    "/var/www/my-site/images/": "var-www-my\\x2dsite-images.mount",
    "//srv//data": "srv-data.mount",
    "/srv/a b@c": "srv-a\\x20b\\x40c.mount",
    "/.hidden/x.y": "\\x2ehidden-x.y.mount",
    "/srv/né": "srv-n\\xc3\\xa9.mount",
}


@pytest.mark.parametrize(("path", "unit"), NAMES.items())
def test_units_are_named_as_systemd_names_them(path: str, unit: str) -> None:
    """Letters, digits, `:_.` stay; everything else is escaped byte by byte."""
    assert mount_unit(path) == unit


@pytest.mark.parametrize("path", ["srv", "", "/srv/../etc", None])
def test_what_is_no_absolute_path_is_refused(path: str) -> None:
    """The error names what was given."""
    with pytest.raises(AnsibleFilterError, match="not an absolute path"):
        mount_unit(path)

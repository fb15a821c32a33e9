# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin on the oldest and the newest ansible-core that it supports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cores import NEWEST, OLDEST, core
from tests.support.inventory import Inventory
from tests.support.replay import Account, Replay

OPTIONS = {
    "hostnames": ["{{ ec2.tags.Name }}", "id"],
    "keyed_groups": [{"key": "ec2.tags.Role", "prefix": "is"}, {"key": "ec2.tags.Missing", "prefix": "never"}],
    "groups": {"production": "ec2.tags.Environment == 'prod'", "first": "ec2.tags.Name.endswith('-0')"},
    "compose": {"owner": "ec2.tags.Owner | default('none')", "shout": "ec2.tags.Role | upper"},
    "variables": ["ec2", "flat"],
}


@pytest.mark.long
@pytest.mark.parametrize("requirement", [OLDEST, NEWEST])
def test_every_core_makes_the_same_inventory(tmp_path: Path, requirement: str) -> None:
    """Hosts, variables and groups are those of the core that this checkout works with."""
    with Replay(Account(instances=6)) as endpoint:
        here = Inventory(tmp_path / "aws.yml", endpoint, **OPTIONS).read()
        there = Inventory(tmp_path / "aws.yml", endpoint, core=core(requirement), **OPTIONS).read()
    here["_meta"].pop("profile", None)
    there["_meta"].pop("profile", None)
    assert len(here["_meta"]["hostvars"]) == 6
    assert there == here


@pytest.mark.long
@pytest.mark.parametrize("requirement", [OLDEST, NEWEST])
def test_no_core_takes_a_tag_for_a_template(tmp_path: Path, requirement: str) -> None:
    """Not as a variable, not by way of compose, not from the cache."""
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    options = {"compose": {"copied": "ec2.tags.Note"}, **cached}
    with Replay(Account(1, tags=lambda number: {"Name": "web", "Note": "{{ 6 * 7 }}"})) as endpoint:
        inventory = Inventory(tmp_path / "aws.yml", endpoint, core=core(requirement), **options)
        said = [
            inventory.run("ansible", "web", "-c", "local", "-m", "debug", "-a", "msg={{ ec2.tags.Note }}{{ copied }}") for _ in range(2)
        ]
    assert ["{{ 6 * 7 }}{{ 6 * 7 }}" in one.stdout for one in said] == [True, True], said[0].stderr

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of the module disk: what cannot be meant is refused at once, and module, role and documentation agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.steadfast.ec2.plugins.doc_fragments.disk import ModuleDocFragment
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.definition import ARGUMENTS, declared, run
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import Desired
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import KNOWN_AFTER_APPLY

ROOT = Path(__file__).resolve().parents[5]
#: What a task with only a volume and a path gives.
PLAIN: dict[str, Any] = {name: option.get("default") for name, option in ARGUMENTS.items()}
PLAIN |= {"volume": "vol-0123456789abcdef0", "path": "/srv/data"}


def test_the_defaults_are_those_of_the_plan() -> None:
    """Two places say them; they say the same."""
    assert declared(PLAIN) == Desired(volume="vol-0123456789abcdef0", path="/srv/data")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("volume", "images", "vol-0123"),
        ("volume", "vol-XYZ", "is not a volume id"),
        ("path", "srv/data", "absolute path"),
        ("path", "/", "below /"),
        ("path", "/srv/..", "below /"),
        ("label", "a label that is too long", "longer than ext4 allows"),
        ("label", 'a "quoted" one', "no quotes"),
        ("mkfs_options", ["-F"], "for the module to decide (found -F)"),
        ("mkfs_options", ["-i 4096", "-U random"], "found -U"),
        ("mkfs_options", ["-n"], "found -n"),
        ("mkfs_options", ["/dev/vdz"], "names a device"),
        ("mount_options", ["nofail,x-systemd.automount"], "when somebody looks"),
        ("owner", "no-such-user", "no such name"),
        ("group", "no-such-group", "no such name"),
        ("mode", 493, "in quotes"),
        ("mode", "u=rwx", "octal"),
        ("mode", "", "octal"),
        ("mode", "0999", "octal"),
    ],
)
def test_what_cannot_be_meant_is_refused(option: str, value: object, words: str) -> None:
    """Before the machine is looked at, with what it should be."""
    with pytest.raises(InvalidInput) as caught:
        declared({**PLAIN, option: value})
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("option", "value", "field", "meant"),
    [
        ("volume", "vol0123456789abcdef0", "volume", "vol-0123456789abcdef0"),
        ("path", "/srv//data/", "path", "/srv/data"),
        ("mkfs_options", ["-i 4096", "-m", "0"], "mkfs", ("-i", "4096", "-m", "0")),
        ("erase", ["LVM2_member"], "erase", ("LVM2_member",)),
        ("owner", "root", "uid", 0),
        ("group", "33", "gid", 33),
        ("mode", "755", "mode", "0755"),
        ("mode", "02775", "mode", "2775"),
    ],
)
def test_what_is_meant_the_same_becomes_the_same(option: str, value: object, field: str, meant: object) -> None:
    """However it is written."""
    assert getattr(declared({**PLAIN, option: value}), field) == meant


def test_a_volume_that_is_not_known_yet_is_told_of_in_check_mode_only() -> None:
    """Nothing is looked for, and nothing can be applied to it."""
    params = {**PLAIN, "volume": KNOWN_AFTER_APPLY, "path": "/no/such/place"}
    result = run(params, True)
    assert [change["kind"] for change in result["plan"]] == ["partition", "filesystem", "fstab", "mount"]
    with pytest.raises(InvalidInput, match="not known yet"):
        run(params, False)


def test_the_documentation_has_the_options_of_the_module() -> None:
    """Names, types, choices and defaults."""
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    facts = ("type", "default", "choices", "elements", "aliases")
    said = {name: {fact: option[fact] for fact in facts if fact in option} for name, option in documented.items()}
    assert {name: {**option, "choices": sorted(option.get("choices", []))} for name, option in said.items()} == {
        name: {**option, "choices": sorted(option.get("choices", []))} for name, option in ARGUMENTS.items()
    }


def test_the_role_takes_the_options_of_the_module() -> None:
    """An item of data_disk_mounts is a call of the module, but for the state, which the entry point decides."""
    specs = yaml.safe_load((ROOT / "roles/data_disk/meta/argument_specs.yml").read_text())["argument_specs"]
    (task,) = [task for task in yaml.safe_load((ROOT / "roles/data_disk/tasks/main.yml").read_text()) if "steadfast.ec2.disk" in task]
    for entry in ("main", "detach"):
        options = specs[entry]["options"]["data_disk_mounts"]["options"]
        assert set(options) == set(ARGUMENTS) - {"state"} == set(task["steadfast.ec2.disk"])

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configuration files change as one: all of them, tested, or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CommandFailed, InvalidInput, Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.site import config
from ansible_collections.steadfast.ec2.plugins.module_utils.site.config_definition import run

#: Stands for a service's own test: the tree is good unless a file in it says "bad".
COMMAND = ["sh", "-c", '! grep -rn bad "$0"']


class Tree:
    """A configuration, and the module as a task calls it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def run(self, files: dict[str, str], check_mode: bool = False, **given: Any) -> dict[str, Any]:
        own = {"mode": "0644", "owner": str(os.getuid()), "group": str(os.getgid())}
        declared = [{"path": str(self.root / name), "content": text, **own} for name, text in files.items()]
        test = {"command": [*COMMAND, str(self.root)], "root": str(self.root)}
        return run({"files": declared, "absent": [], "test": test, **given}, check_mode)

    def found(self) -> dict[str, str]:
        return {str(path.relative_to(self.root)): path.read_text() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A configuration with one file of somebody else."""
    tree = Tree(tmp_path / "etc")
    (tree.root / "main.conf").write_text("good\n")
    return tree


@pytest.fixture(params=["before", "after"])
def when(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Once with a mount namespace to test in before anything is written, once without."""
    if request.param == "after":
        monkeypatch.setattr(config.TreeTest, "_may_stage", lambda self: False)
    return str(request.param)


def test_check_and_apply_agree_four_ways(tree: Tree, when: str) -> None:
    """check, apply, apply, check: yes, yes, no, no, with equal diffs, and nothing written in the checks."""
    runs = [tree.run({"a.conf": "1\n", "b/c.conf": "2\n"}, check_mode=True)]
    assert tree.found() == {"main.conf": "good\n"}
    runs += [tree.run({"a.conf": "1\n", "b/c.conf": "2\n"}, check_mode=check) for check in (False, False, True)]
    assert [run["changed"] for run in runs] == [True, True, False, False]
    assert runs[0]["diff"] == runs[1]["diff"]
    assert tree.found() == {"main.conf": "good\n", "a.conf": "1\n", "b/c.conf": "2\n"}


def test_what_the_test_does_not_accept_is_not_left_on_the_disk(tree: Tree, when: str) -> None:
    """The files are as before, and the error is what the test said."""
    tree.run({"a.conf": "1\n"})
    with pytest.raises(CommandFailed, match=r"a.conf:1:bad"):
        tree.run({"a.conf": "bad\n", "new.conf": "3\n"}, absent=[str(tree.root / "main.conf")])
    assert tree.found() == {"main.conf": "good\n", "a.conf": "1\n"}


def test_check_mode_finds_what_the_test_would_not_accept(tree: Tree) -> None:
    """The prediction is a failure where the run would be one."""
    with pytest.raises(CommandFailed, match="bad"):
        tree.run({"a.conf": "bad\n"}, check_mode=True)
    assert tree.found() == {"main.conf": "good\n"}


def test_the_tree_is_not_touched_by_the_test(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is a copy: when the test runs, the real file is still the old one."""
    assert not list(tree.root.glob("a.conf"))
    plan_seen: list[bool] = []
    original = config.TreeTest._check

    def watched(self: Any, wrapper: list[str]) -> None:
        plan_seen.append((tree.root / "a.conf").exists())
        original(self, wrapper)

    monkeypatch.setattr(config.TreeTest, "_check", watched)
    tree.run({"a.conf": "1\n"})
    assert plan_seen == [False]


def test_a_write_that_fails_takes_the_others_back(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle leaves the configuration as it was."""
    put = config.put_file
    failing = str(tree.root / "z.conf")

    def full(path: str, file: Any) -> None:
        if path == failing and file is not None:
            raise OSError(28, "No space left on device")
        put(path, file)

    monkeypatch.setattr(config, "put_file", full)
    monkeypatch.setattr(config.TreeTest, "before", lambda self, plan: True)
    with pytest.raises(Refused, match="No space"):
        tree.run({"a.conf": "1\n", "z.conf": "2\n"})
    assert tree.found() == {"main.conf": "good\n"}


def test_unwanted_files_go_by_pattern_but_declared_ones_stay(tree: Tree) -> None:
    """What an earlier declaration left behind is removed, links too."""
    (tree.root / "old-1.conf").write_text("x")
    (tree.root / "old-2.conf").symlink_to("main.conf")
    tree.run({"old-9.conf": "9\n"}, absent=[str(tree.root / "old-*.conf")])
    assert tree.found() == {"main.conf": "good\n", "old-9.conf": "9\n"}


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tree: Tree, tmp_path: Path) -> None:
    """What the link leads to stays as it is."""
    (tmp_path / "other").write_text("theirs")
    (tree.root / "a.conf").symlink_to(tmp_path / "other")
    tree.run({"a.conf": "1\n"})
    assert (tmp_path / "other").read_text() == "theirs"
    assert not (tree.root / "a.conf").is_symlink()


def test_a_folder_in_the_place_of_a_file_is_refused(tree: Tree) -> None:
    """It is not deleted."""
    (tree.root / "a.conf").mkdir()
    with pytest.raises(Refused, match="not a file"):
        tree.run({"a.conf": "1\n"})


def test_a_changed_mode_is_shown_and_set(tree: Tree) -> None:
    """Content equal, mode not: still a change."""
    tree.run({"a.conf": "1\n"})
    (tree.root / "a.conf").chmod(0o600)
    result = tree.run({"a.conf": "1\n"})
    assert (result["diff"][0]["before"], result["diff"][0]["after"]) == ("mode: 0600\n1\n", "mode: 0644\n1\n")
    assert (tree.root / "a.conf").stat().st_mode & 0o777 == 0o644


def test_a_program_that_is_not_installed_yet_does_not_stop_check_mode(tree: Tree) -> None:
    """On a new machine check mode comes before the package; a real run without the program fails."""
    test = {"command": ["no-such-program"], "root": str(tree.root)}
    assert tree.run({"a.conf": "1\n"}, check_mode=True, test=test)["changed"] is True
    with pytest.raises(CommandFailed, match="no such program"):
        tree.run({"a.conf": "1\n"}, test=test)


def test_a_file_declared_twice_is_refused(tree: Tree) -> None:
    """Which one it is must not depend on their order."""
    own = {"mode": "0644", "owner": "0", "group": "0"}
    twice = [{"path": "/etc/x", "content": text, **own} for text in "ab"]
    with pytest.raises(InvalidInput, match="twice"):
        run({"files": twice, "absent": [], "test": None}, True)


@pytest.mark.parametrize("wrong", [{"mode": "-644"}, {"mode": "10644"}, {"mode": "7" * 30}, {"owner": "9" * 20}, {"group": "²"}])
def test_a_mode_or_owner_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path, wrong: dict[str, str]) -> None:
    """What chmod or chown would cut short or choke on is bad input, not a traceback in the middle."""
    file = {"path": str(tmp_path / "x"), "content": "x", "mode": "0644", "owner": "root", "group": "root", **wrong}
    with pytest.raises(InvalidInput, match=r"mode|owner|group"):
        run({"files": [file], "absent": [], "test": None}, False)
    assert not list(tmp_path.iterdir())


def test_a_pattern_that_depends_on_the_current_folder_is_refused() -> None:
    """It would find nothing, and say that all is well."""
    with pytest.raises(InvalidInput, match="absolute"):
        run({"files": [], "absent": ["conf.d/*.conf"], "test": None}, False)


@pytest.mark.parametrize("name", ["x" * 300, "file/below"])
def test_what_the_file_system_does_not_allow_is_an_error_with_the_path(tmp_path: Path, name: str) -> None:
    """No room, no permission, a name too long, a file in the place of a folder: said in words, and no traceback."""
    (tmp_path / "file").write_text("")
    owner = {"owner": str(os.getuid()), "group": str(os.getgid())}
    with pytest.raises(Refused, match="file system does not allow"):
        run({"files": [{"path": str(tmp_path / name), "content": "x", "mode": "0644", **owner}], "absent": [], "test": None}, False)

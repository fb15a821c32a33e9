# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Private keys: whole or not there, for their owner only, and never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import key_files
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput


def test_a_key_is_written_once_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0400, nothing else left in the directory, and its public half can be had again."""
    path = tmp_path / "key.pem"
    public = key_files.generate(str(path), "ed25519", "me")
    assert path.stat().st_mode & 0o777 == 0o400
    assert [one.name for one in tmp_path.iterdir()] == ["key.pem"]
    assert key_files.look(str(path)).public_key == public


def test_a_key_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    """Two runs at once end with one key, and both tell its public half."""
    path = str(tmp_path / "key.pem")
    first = key_files.generate(path, "ed25519", "me")
    assert key_files.generate(path, "ed25519", "me") == first


def test_a_missing_directory_is_a_problem_only_when_a_key_is_to_be_made(tmp_path: Path) -> None:
    """Looking does not fail; it says why nothing could be written."""
    seen = key_files.look(str(tmp_path / "missing" / "key.pem"))
    assert seen.public_key is None
    assert "does not exist" in str(seen.problem)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """ssh would refuse it too, later."""
    path = tmp_path / "key.pem"
    key_files.generate(str(path), "ed25519", "me")
    path.chmod(0o644)
    with pytest.raises(InvalidInput) as caught:
        key_files.look(str(path))
    assert "chmod 0400" in caught.value.message


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    """A file with something else is named, and never overwritten."""
    path = tmp_path / "key.pem"
    path.write_text("not a key")
    path.chmod(0o600)
    with pytest.raises(InvalidInput) as caught:
        key_files.look(str(path))
    assert str(path) in caught.value.message
    assert path.read_text() == "not a key"


def test_comments_do_not_make_another_key() -> None:
    """Public keys are compared by kind and material."""
    assert key_files.same("ssh-ed25519 AAAA me@here", "ssh-ed25519 AAAA")
    assert not key_files.same("ssh-ed25519 AAAA", "ssh-ed25519 BBBB")
    assert not key_files.same(None, None)


def test_a_directory_is_said_to_be_one(tmp_path: Path) -> None:
    """The advice to close it to others would lead nowhere."""
    with pytest.raises(InvalidInput, match="is a directory"):
        key_files.look(str(tmp_path))


def test_where_no_file_can_come_to_be_is_known_beforehand(tmp_path: Path) -> None:
    """A link to nothing, or a name that is too long, is a problem of the plan, and no traceback in the middle of the run."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "symbolic link" in str(key_files.look(str(tmp_path / "link")).problem)
    assert "255 bytes" in str(key_files.look(str(tmp_path / ("k" * 300))).problem)


def test_a_directory_that_vanished_meanwhile_is_an_error_with_the_path(tmp_path: Path) -> None:
    """Between plan and apply anything may happen."""
    with pytest.raises(InvalidInput, match=r"gone/key\.pem: the private key cannot be written"):
        key_files.generate(str(tmp_path / "gone" / "key.pem"), "ed25519", "k")

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""State that survives crashes, and is nobody else's."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.command import tidy
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.playbook import limit_to_shard, shard_of
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.problems import CannotTell
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.storage import (
    locked,
    private_directory,
    read_json,
    secret_key,
    write_json,
)


@pytest.mark.parametrize("moment", ["fsync", "fchmod"])
def test_a_crash_while_writing_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The old content is still there, whole, and nothing else is left in the folder."""
    path = tmp_path / "history.json"
    write_json(path, {"state": "before"})

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, moment, crash)
    with pytest.raises(KeyboardInterrupt):
        write_json(path, {"state": "after"})
    assert read_json(path) == {"state": "before"}
    assert [one.name for one in tmp_path.iterdir()] == ["history.json"]


def test_state_that_is_no_json_is_said_to_be(tmp_path: Path) -> None:
    """A damaged file is no empty history: findings would all be new, and people told again."""
    (tmp_path / "history.json").write_text("{")
    with pytest.raises(CannotTell, match="cannot be read"):
        read_json(tmp_path / "history.json")
    assert read_json(tmp_path / "none.json") is None


def test_state_is_private(tmp_path: Path) -> None:
    """A new folder has mode 0700, files 0600; a folder that others may write to is refused."""
    folder = private_directory(tmp_path / "new")
    write_json(folder / "x.json", {})
    secret_key(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    folder.chmod(0o770)
    with pytest.raises(CannotTell, match="others may write"):
        private_directory(folder)


def test_all_who_come_at_once_get_the_same_key(tmp_path: Path) -> None:
    """Shards that start together would otherwise make hashes that cannot be compared."""
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(secret_key, [tmp_path / "state"] * 16))
    assert len(keys) == 1


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second one who does not want to wait is told so."""
    with locked(tmp_path / "state"), pytest.raises(CannotTell, match="another run"), locked(tmp_path / "state", wait=False):
        pass


def test_a_host_stays_in_its_shard() -> None:
    """By its name alone; 1,000 hosts are spread evenly."""
    shards = [shard_of(f"host-{n}", 4) for n in range(1000)]
    assert shards == [shard_of(f"host-{n}", 4) for n in range(1000)]
    assert all(200 < shards.count(shard) < 300 for shard in (1, 2, 3, 4))


@pytest.mark.parametrize("limit", [["--limit", "web*"], ["--limit=web*"], ["-l", "web*"], ["-lweb*"]], ids="".join)
def test_shards_are_parts_of_what_a_limit_leaves(tmp_path: Path, limit: list[str]) -> None:
    """The last limit is the one that counts: that of the shard must not widen the one that was asked for."""
    inventory, scratch = tmp_path / "hosts", tmp_path / "limit"
    inventory.write_text("".join(f"web{n}\ndb{n}\n" for n in range(20)))
    arguments = limit_to_shard(["-i", str(inventory), *limit, "site.yml"], 1, 2, scratch)
    assert arguments[-2:] == ("--limit", f"@{scratch}")
    assert sorted(scratch.read_text().split()) == sorted(f"web{n}" for n in range(20) if shard_of(f"web{n}", 2) == 1)


def test_what_a_crash_left_half_written_is_taken_away(tmp_path: Path) -> None:
    """Nobody can clean up after a loss of power but the next run; what is whole stays."""
    write_json(tmp_path / "history.json", {"schema": 1})
    (tmp_path / ".history.json.x1y2z3").write_text("{")
    tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["history.json"]

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Results are recorded many at a time: none is lost, none waits for long, and one that cannot be recorded is not kept quiet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift import batch, history
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.attributes import Shower
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.evaluate import Asked, evaluate
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.fleet import Redaction
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.observe import Observer
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.policy import Policy
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.recorder import Recorder, Settings
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.records import read_run
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.redact import Redactor


class Recording:
    """A recorder with its batch, a clock that is set by hand, and what is in the record's file."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.recorder = Recorder(Settings(folder, "r1", "1", "check"), Observer(Shower(Redactor(b"k" * 32))), Redaction())
        self.batch = batch.Batch(self.recorder, clock=lambda: self.now)
        about = {"basedir": str(folder), "playbook": "site.yml", "check": True, "playbooks": 1, "diff": True, "ansible": "2.19.0"}
        self.recorder.open({**about, "limit": "", "tags": [], "skip_tags": [], "start_at": ""})
        self.path = folder / "records" / "r1.1.jsonl"

    def result(self, path: str, **more: Any) -> None:
        """A task on host h1 that would change the mode of a file."""
        task = SimpleNamespace(
            _uuid="u", get_path=lambda: "/site.yml:3", get_name=lambda: "Files", action="file", loop=None, loop_with=None
        )
        data = {"changed": True, "path": path, "diff": [{"before": {"mode": "0600"}, "after": {"mode": "0644"}}], **more}
        host = SimpleNamespace(get_name=lambda: "h1")
        self.batch.add(self.recorder.ok, SimpleNamespace(_task=task, _host=host, result=data, task_fields={"name": "Files"}))

    def end(self) -> None:
        """The playbook comes to its end."""
        self.batch.flush()
        counts = {"ok": 1}
        self.recorder.close(SimpleNamespace(processed={"h1": 1}, summarize=lambda host: counts))

    def recorded(self) -> list[str]:
        """The resources of the findings that are in the file."""
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [line["resource"] for line in lines if line["type"] == "finding"]


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    """An open record."""
    recording = Recording(tmp_path)
    yield recording
    assert recording.recorder._stream is not None
    recording.recorder._stream.close()


def test_results_are_recorded_in_their_order_when_there_are_many(recording: Recording) -> None:
    """Nothing is written between two forks but once for each batch, and each result is then there once."""
    paths = [f"/etc/{n}" for n in range(batch.MOST)]
    for path in paths[:-1]:
        recording.result(path)
    assert recording.recorded() == []
    recording.result(paths[-1])
    assert recording.recorded() == paths


def test_no_result_waits_until_a_later_one_comes_after_its_time(recording: Recording) -> None:
    """In a slow run the record is not far behind."""
    recording.result("/etc/1")
    recording.now += batch.SECONDS
    recording.result("/etc/2")
    assert recording.recorded() == ["/etc/1", "/etc/2"]
    recording.result("/etc/3")
    assert recording.recorded() == ["/etc/1", "/etc/2"]


@pytest.mark.parametrize("when", ["play", "empty", "close"])
def test_what_waits_is_recorded_before_what_comes_after_it(recording: Recording, when: str) -> None:
    """The next play, a play without hosts, and the end of the playbook stand after all results before them."""
    from ansible_collections.steadfast.ec2.plugins.callback.drift import CallbackModule

    callback = CallbackModule()
    callback._recorder, callback._batch, callback._play = recording.recorder, recording.batch, None
    recording.result("/etc/1")
    manager = SimpleNamespace(_inventory=None)
    play = SimpleNamespace(check_mode=True, get_variable_manager=lambda: manager, get_name=lambda: "all", hosts="all", vars={})
    events: dict[str, Callable[[], None]] = {
        "play": lambda: callback.v2_playbook_on_play_start(play),
        "empty": callback.v2_playbook_on_no_hosts_matched,
        "close": lambda: callback.v2_playbook_on_stats(SimpleNamespace(processed={}, summarize=None)),
    }
    events[when]()
    recording.recorder.flush()
    kinds = [json.loads(line)["type"] for line in recording.path.read_text().splitlines()]
    assert kinds == ["playbook", "finding", {"play": "play", "empty": "empty_play", "close": "end"}[when]]


def test_a_result_that_cannot_be_recorded_is_no_success(recording: Recording) -> None:
    """What a module returned is not what it should be: the others are recorded, and the verdict is that it could not tell."""
    broken = [{"kind": "secret-7f", "name": "x", "action": "update", "attributes": [{"secret-7f": 1}]}]
    recording.result("/etc/1", plan=broken)
    recording.result("/etc/2")
    recording.end()
    assert recording.recorded() == ["/etc/2"]
    report, _history = evaluate(read_run([recording.path]), Policy(), history.empty(), Asked(recording.now))
    assert (report["exit_code"], "not_recorded" in {one["code"] for one in report["problems"]}) == (1, True)
    assert "secret-7f" not in recording.path.read_text()

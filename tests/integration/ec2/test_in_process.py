# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inside the controller or in a process of its own: a task means the same."""

from __future__ import annotations

from typing import Any

from tests.support.sandbox import Sandbox

from .conftest import Answer, Playbook

#: Any variable at all makes Ansible start a process for the module.
PROCESS = {"environment": {"STEADFAST_TEST": "process"}}
VOLUME = {"name": "data", "size": 2, "zone": "use1-az1", "tags": {"Role": "web"}}


def both(playbook: Playbook, module: str, options: dict[str, Any], **keywords: Any) -> tuple[Answer, Answer]:
    """The same task twice: inside, and in a process."""
    task = {f"steadfast.ec2.{module}": options, **keywords}
    inside, process = playbook.run([task, {**task, **PROCESS}])
    return inside, process


def lasting(answer: Answer) -> dict[str, Any]:
    """A result without what differs from run to run."""
    return {name: value for name, value in answer.result.items() if name not in ("api", "invocation")}


def test_the_usual_task_starts_no_process(playbook: Playbook) -> None:
    """Temporary module files are what a process would leave behind if told to keep them."""
    task = {"steadfast.ec2.volume": VOLUME, "check_mode": True}
    playbook.run([task], ANSIBLE_KEEP_REMOTE_FILES="1")
    kept = playbook.directory / "remote"
    assert list(kept.glob("*/AnsiballZ_volume.py")) == []
    playbook.run([{**task, **PROCESS}], ANSIBLE_KEEP_REMOTE_FILES="1")
    assert len(list(kept.glob("*/AnsiballZ_volume.py"))) == 1


def test_plans_and_facts_are_equal(playbook: Playbook) -> None:
    """The whole result is the same, key by key."""
    inside, process = both(playbook, "volume", VOLUME, check_mode=True, diff=True)
    assert inside.result["changed"]
    assert lasting(inside) == lasting(process)


def test_refusals_are_equal(playbook: Playbook) -> None:
    """The same message, and the same data about it."""
    inside, process = both(playbook, "volume", {**VOLUME, "zone": "nowhere"})
    assert inside.result["failed"]
    assert inside.result["msg"] == process.result["msg"]
    assert inside.result["error"] == process.result["error"]


def test_wrong_options_fail_in_ansibles_words(playbook: Playbook) -> None:
    """An unknown option is refused by Ansible itself."""
    inside, process = both(playbook, "volume", {**VOLUME, "colour": "red"})
    assert "Unsupported parameters for (steadfast.ec2.volume)" in inside.result["msg"]
    assert inside.result["msg"] == process.result["msg"]


def test_secrets_stay_secret(playbook: Playbook, sandbox: Sandbox) -> None:
    """What must not be logged is in neither result, wherever it appears."""
    secret = "do-not-tell-4711"
    keys = {"access_key": "me", "secret_key": secret, "endpoint_url": sandbox.endpoint, "region": "us-east-1"}
    for answer in both(playbook, "volume", {**VOLUME, **keys, "tags": {"Leak": secret}}, check_mode=True):
        assert answer.result["changed"]
        assert secret not in str(answer.result)


def test_the_environment_of_a_task_is_honoured(playbook: Playbook) -> None:
    """A region in the task's environment is where the task works."""
    task = {"steadfast.ec2.volume": {**VOLUME, "zone": "euc1-az2"}, "check_mode": True}
    [answer] = playbook.run([{**task, "environment": {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"}}])
    assert answer.result["volume"]["zone"].startswith("eu-central-1")


def test_defaults_of_the_group_reach_the_task(playbook: Playbook, sandbox: Sandbox) -> None:
    """Connection options given once for all modules are used, and a task's own win."""
    defaults = {"group/steadfast.ec2.ec2": {"endpoint_url": "http://127.0.0.1:1", "region": "us-east-1"}}
    task = {"steadfast.ec2.volume": VOLUME, "check_mode": True, "module_defaults": defaults}
    own = {**task, "steadfast.ec2.volume": {**VOLUME, "endpoint_url": sandbox.endpoint}}
    unreachable, reached = playbook.run([task, own])
    assert "http://127.0.0.1:1" in unreachable.result["msg"]
    assert reached.result["changed"]


def test_a_background_task_runs(playbook: Playbook) -> None:
    """async goes the ordinary way."""
    [answer] = playbook.run([{"steadfast.ec2.elastic_ip": {"name": "entry"}, "async": 600, "poll": 1}])
    assert not answer.result.get("failed"), answer.result
    assert answer.result["changed"]
    assert answer.result["elastic_ip"]["public_ip"]


def test_who_am_i(playbook: Playbook) -> None:
    """The account, the identity and the region, by one call that changes nothing."""
    [answer] = playbook.run([{"steadfast.ec2.caller_info": {}, "check_mode": True}])
    caller = answer.result["caller"]
    assert (caller["account"], caller["partition"], caller["region"]) == ("123456789012", "aws", "us-east-1")
    assert (answer.result["changed"], answer.result["api"]["calls"], answer.writes) == (False, 1, [])

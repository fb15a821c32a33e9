# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the callback records of a real run, of every way in which a task can come to something: one run, which many tests judge."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.support.drift import Checks, Outcome, directory_task, setting_task

SECRETS = {
    "of a vaulted value": "inline-SECRET-b1946a",
    "of a vaulted file": "wholefile-SECRET-91d0c3",
    "of copied content": "content-SECRET-77aa01",
    "of a no_log task": "nolog-SECRET-c0ffee",
    "of an address": "url-SECRET-5e1f22",
    "of a private key": "keyline-SECRET-0123456789",
    "of a no_log item": "item-SECRET-fedcba",
}
PASSWORD = b"open sesame"


@dataclass(frozen=True)
class Gallery:
    """A run of a playbook with one play for each subject."""

    checks: Checks
    outcome: Outcome

    def of(self, file: str) -> list[dict[str, Any]]:
        """The findings of one playbook."""
        return [one for one in self.outcome.report["findings"] if one["file"] == file]


def sealed(text: str) -> str:
    """The text as ansible-vault would encrypt it."""
    return VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(PASSWORD))]).encrypt(text).decode()


def ways(place: Path) -> dict[str, Any]:
    """A play in which tasks come to all that tasks can come to."""
    only_h1 = {"when": "inventory_hostname == 'h1'"}
    return {
        "hosts": "h1:h2",
        "tasks": [
            setting_task(place / "plain-{{ inventory_hostname }}", name="Plain", notify="Handler"),
            setting_task(place / "{{ item }}", name="Loop", loop=["a", "b"], run_once=True),
            setting_task(place / "{{ item }}", name="Skipped items", loop=["a"], when="item == 'z'"),
            {"name": "Include", "ansible.builtin.include_tasks": "included.yml", **only_h1},
            setting_task(place / "delegated", name="Delegated", delegate_to="h2", **only_h1),
            {"name": "Command", "ansible.builtin.command": f"curl https://u:{SECRETS['of an address']}@host/", **only_h1},
            setting_task(place / "really-{{ inventory_hostname }}", name="Really run", check_mode=False),
            {"name": "Async", "ansible.builtin.command": "true", "async": 300, "poll": 1, **only_h1},
            {
                "name": "Block",
                "block": [{"name": "Rescued", "ansible.builtin.fail": {"msg": "no"}}],
                "rescue": [{"name": "Rescue", "ansible.builtin.debug": {"msg": "yes"}}],
            },
            {"name": "Ignored", "ansible.builtin.fail": {"msg": "never mind"}, "ignore_errors": True},
            setting_task(place / "silenced", name="Silenced", changed_when=False),
            {"name": "No change of a system", "ansible.builtin.add_host": {"name": "h1"}},
        ],
        "handlers": [setting_task(place / "handled", name="Handler")],
    }


def free(place: Path) -> dict[str, Any]:
    """A play in which h2 waits at its first task until h1 is at its last one."""
    return {
        "hosts": "h1:h2",
        "strategy": "free",
        "tasks": [
            setting_task(place / "0-{{ inventory_hostname }}", name="Task 0"),
            setting_task(place / "1-{{ inventory_hostname }}", name="Task 1", after="{{ go if inventory_hostname == 'h2' else place }}"),
            setting_task(place / "2-{{ inventory_hostname }}", name="Task 2"),
            setting_task("{{ go }}", name="Go", when="inventory_hostname == 'h1'", check_mode=False),
        ],
        "vars": {"go": f"{place}/go", "place": str(place)},
    }


def with_secrets(place: Path) -> str:
    """A play with a secret in every place where one may stand; as text, since YAML's own tags are not data."""
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRETS['of a private key']}\n-----END OPENSSH PRIVATE KEY-----\n"
    content = f"a\n{SECRETS['of copied content']} {{{{ of_value }}}}\n"
    address = f"u = postgres://u:{SECRETS['of an address']}@db/\nfine\n"
    tasks = [
        {"name": "Copy", "ansible.builtin.copy": {"content": content, "dest": f"{place}/copy"}},
        setting_task(f"{place}/shown.pem", key, name="Key"),
        setting_task(f"{place}/nolog", SECRETS["of a no_log task"], name="No log", no_log=True),
        setting_task(f"{place}/{{{{ item }}}}", name="Items", no_log=True, loop=[SECRETS["of a no_log item"]]),
        {"name": "Link", "ansible.builtin.file": {"src": "{{ of_file }}", "dest": f"{place}/link", "state": "link", "force": True}},
        setting_task(f"{place}/shown.conf", address, name="Shown"),
    ]
    value = "\n".join(f"      {line}" for line in sealed(SECRETS["of a vaulted value"]).splitlines())
    return f"- hosts: h1\n  gather_facts: false\n  vars:\n    of_value: !vault |\n{value}\n  tasks: {json.dumps(tasks)}\n"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """All of it in one run, as a process whose screen is read, too."""
    checks = Checks(tmp_path_factory.mktemp("gallery"))
    place = checks.place
    (checks.folder / "vault-password").write_bytes(PASSWORD)
    (checks.folder / "group_vars").mkdir()
    (checks.folder / "group_vars" / "all.yml").write_text(sealed(f"of_file: {SECRETS['of a vaulted file']}\n"))
    (checks.folder / "included.yml").write_text(json.dumps([setting_task(place / "included", name="Included")]))
    checks.playbook(ways(place), name="ways.yml")
    checks.playbook(free(place), name="free.yml")
    (checks.folder / "secrets.yml").write_text(with_secrets(place))
    (place / "d").mkdir(mode=0o755)
    checks.playbook({"hosts": "h1", "tasks": [directory_task(place / "d", mode="0700")]}, name="attributes.yml")
    above = [{"name": "More above", "ansible.builtin.debug": {"msg": "x"}}]
    for folder, more in (("one", []), ("two", above)):
        (checks.folder / folder).mkdir()
        checks.playbook({"hosts": "h1", "tasks": [*more, setting_task(place / "moved")]}, name=f"{folder}/moved.yml")
    books = ("ways.yml", "free.yml", "secrets.yml", "attributes.yml", "one/moved.yml", "two/moved.yml")
    shown = {"STEADFAST_DRIFT_SHOW_TEXT": f"{place}/shown*"}
    outcome = checks.run("--vault-password-file", "vault-password", *books, process=True, **shown)
    assert outcome.report, outcome.text
    return Gallery(checks, outcome)


def test_every_way_a_task_can_end_is_recorded_once(gallery: Gallery) -> None:
    """Loops by item, handlers, includes, delegated, run_once, rescued, async and check_mode: false, each with its own kind."""
    outcome, findings = gallery.outcome, [*gallery.of("ways.yml"), *gallery.of("included.yml")]
    assert outcome.code == 1, outcome.text
    found = Counter((one["kind"], one["task"], one["host"], one["item"]) for one in findings)
    both = [
        ("drift", "Plain"),
        ("executed", "Really run"),
        ("rescued", "Rescued"),
        ("error", "Ignored"),
        ("hidden", "Silenced"),
        ("consequence", "Handler"),
    ]
    alone = [("unknown", "Command"), ("unknown", "Async"), ("drift", "Included"), ("drift", "Delegated")]
    expected = Counter((kind, task, host, "") for kind, task in both for host in ("h1", "h2"))
    once = [("drift", "Loop", "a"), ("drift", "Loop", "b"), *((kind, task, "") for kind, task in alone)]
    expected.update((kind, task, "h1", item) for kind, task, item in once)
    assert found == expected
    (delegated,) = [one for one in findings if one["task"] == "Delegated"]
    assert delegated["delegated_to"] == "h2"
    assert outcome.codes == {"unknown", "failed"}
    assert {one["text"].split(" ")[0] for one in outcome.report["problems"]} == {"Command", "Async", "Ignored"}


def test_attributes_have_expected_and_actual(gallery: Gallery) -> None:
    """A stock module's diff becomes attributes; the finding says where the task stands."""
    (finding,) = gallery.of("attributes.yml")
    assert [{name: one[name] for name in ("path", "expected", "actual")} for one in finding["attributes"]] == [
        {"path": "mode", "expected": "0700", "actual": "0755"}
    ]
    assert finding["resource"] == str(gallery.checks.place / "d")
    assert finding["line"] > 1


def test_the_fingerprint_stays_when_lines_move_and_the_checkout_does(gallery: Gallery) -> None:
    """The same finding from another folder, after an edit above it, has the same fingerprint."""
    lines = [json.loads(line) for line in gallery.checks.records()[-1].read_text().splitlines()]
    first, second = (line for line in lines if line.get("file") == "moved.yml")
    assert second["line"] > first["line"]
    assert second["fingerprint"] == first["fingerprint"]


def test_free_strategy_does_not_mix_hosts(gallery: Gallery) -> None:
    """With `strategy: free` hosts are at different tasks at the same time; each finding has its own host, task and resource."""
    found = [one for one in gallery.of("free.yml") if one["kind"] == "drift"]
    assert Counter(Path(one["resource"]).name for one in found) == Counter(f"{n}-h{h}" for n in range(3) for h in (1, 2))
    assert all(one["task"] == f"Task {Path(one['resource']).name[0]}" and one["resource"].endswith(one["host"]) for one in found)


def test_no_secret_is_in_any_output(gallery: Gallery) -> None:
    """Vaults, no_log, contents, addresses and keys: byte by byte, in no record, report, state file, nor on the screen."""
    state = gallery.checks.state
    assert len([one for one in gallery.of("secrets.yml") if one["kind"] == "drift"]) == 6, gallery.outcome.text
    content = {path.name: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    assert len(content) >= 8
    content["the screen"] = gallery.outcome.text.encode()
    assert [(name, what) for name, text in content.items() for what, secret in SECRETS.items() if secret.encode() in text] == []
    assert b"fine" in content["report.json"]  # so lines of allowed files are there, and only the secret is not
    assert {path.stat().st_mode & 0o077 for path in state.rglob("*")} == {0}

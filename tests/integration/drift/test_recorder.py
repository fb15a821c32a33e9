# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the callback records of real runs, of every way in which a task can come to something."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.drift import Checks, directory_task

SECRETS = {
    "of a vaulted value": "inline-SECRET-b1946a",
    "of a vaulted file": "wholefile-SECRET-91d0c3",
    "of copied content": "content-SECRET-77aa01",
    "of a no_log task": "nolog-SECRET-c0ffee",
    "of an address": "url-SECRET-5e1f22",
    "of a private key": "keyline-SECRET-0123456789",
    "of a no_log item": "item-SECRET-fedcba",
}


def findings(checks: Checks) -> list[dict[str, Any]]:
    """What the last run recorded."""
    lines = [json.loads(line) for line in checks.records()[-1].read_text().splitlines()]
    return [line for line in lines if line["type"] == "finding"]


def test_every_way_a_task_can_end_is_recorded_once(checks: Checks) -> None:
    """Loops by item, handlers, includes, delegated, run_once, rescued, async and check_mode: false, each with its own kind."""
    place = checks.place
    (checks.folder / "included.yml").write_text(json.dumps([directory_task(place / "included", name="Included")]))
    checks.playbook(
        {
            "tasks": [
                directory_task(place / "plain-{{ inventory_hostname }}", name="Plain", notify="Handler"),
                directory_task(place / "{{ item }}", name="Loop", loop=["a", "b"], run_once=True),
                directory_task(place / "{{ item }}", name="Skipped items", loop=["a"], when="item == 'z'"),
                {"name": "Include", "ansible.builtin.include_tasks": "included.yml", "when": "inventory_hostname == 'h1'"},
                directory_task(place / "delegated", name="Delegated", delegate_to="h2", when="inventory_hostname == 'h1'"),
                {"name": "Command", "ansible.builtin.command": "true"},
                {"name": "Really run", "ansible.builtin.command": "true", "check_mode": False},
                {"name": "Async", "ansible.builtin.command": "true", "async": 5, "poll": 1},
                {
                    "name": "Block",
                    "block": [{"name": "Rescued", "ansible.builtin.fail": {"msg": "no"}}],
                    "rescue": [{"name": "Rescue", "ansible.builtin.debug": {"msg": "yes"}}],
                },
                {"name": "Ignored", "ansible.builtin.fail": {"msg": "never mind"}, "ignore_errors": True},
                directory_task(place, mode="0701", name="Silenced", changed_when=False),
                {"name": "No change of a system", "ansible.builtin.add_host": {"name": "h1"}},
            ],
            "handlers": [directory_task(place / "handled", name="Handler")],
        }
    )
    outcome = checks.run()
    assert outcome.code == 1, outcome.text
    found = Counter((one["kind"], one["task"], one["host"], one["item"]) for one in outcome.report["findings"])
    both = [
        ("drift", "Plain"),
        ("unknown", "Command"),
        ("executed", "Really run"),
        ("unknown", "Async"),
        ("rescued", "Rescued"),
        ("error", "Ignored"),
        ("hidden", "Silenced"),
        ("consequence", "Handler"),
    ]
    expected = Counter((kind, task, host, "") for kind, task in both for host in ("h1", "h2"))
    expected.update(
        [("drift", "Loop", "h1", "a"), ("drift", "Loop", "h1", "b"), ("drift", "Included", "h1", ""), ("drift", "Delegated", "h1", "")]
    )
    assert found == expected
    (delegated,) = [one for one in outcome.report["findings"] if one["task"] == "Delegated"]
    assert delegated["delegated_to"] == "h2"
    assert outcome.codes == {"unknown", "failed"}
    assert {one["text"].split(" ")[0] for one in outcome.report["problems"]} == {"Command", "Async", "Ignored"}


def test_attributes_have_expected_and_actual(checks: Checks) -> None:
    """A stock module's diff becomes attributes; the finding says where the task stands."""
    (checks.place / "d").mkdir(mode=0o755)
    checks.playbook({"hosts": "h1", "tasks": [directory_task(checks.place / "d", mode="0700")]})
    (finding,) = checks.run().of("drift")
    assert [{name: one[name] for name in ("path", "expected", "actual")} for one in finding["attributes"]] == [
        {"path": "mode", "expected": "0700", "actual": "0755"}
    ]
    assert (finding["file"], finding["resource"]) == ("site.yml", str(checks.place / "d"))
    assert finding["line"] > 1


def test_the_fingerprint_stays_when_lines_move_and_the_checkout_does(checks: Checks, tmp_path: Path) -> None:
    """The same finding in the next run, after an edit above it, has the same fingerprint."""
    checks.playbook({"hosts": "h1", "tasks": [directory_task(checks.place / "d")]})
    (first,) = checks.run().of("drift")
    debug = {"name": "More above", "ansible.builtin.debug": {"msg": "x"}}
    checks.playbook({"hosts": "h1", "tasks": [debug, directory_task(checks.place / "d")]})
    (second,) = checks.run().of("drift")
    assert second["line"] > first["line"]
    assert second["fingerprint"] == first["fingerprint"]


def test_a_play_in_check_mode_is_a_check_by_itself(checks: Checks) -> None:
    """Whoever enables the callback for a playbook whose plays are in check mode needs no --check."""
    checks.playbook({"hosts": "h1", "check_mode": True, "tasks": [directory_task(checks.place / "d")]})
    environment = {"ANSIBLE_CALLBACKS_ENABLED": "steadfast.ec2.drift", "STEADFAST_DRIFT_DIR": str(checks.state)}
    assert checks.play("site.yml", **environment).returncode == 0
    assert not (checks.place / "d").exists()
    assert checks.use("evaluate").code == 2


def test_free_strategy_does_not_mix_hosts(tmp_path: Path) -> None:
    """With `strategy: free` hosts are at different tasks at the same time; each finding has its own host, task and resource."""
    checks = Checks(tmp_path, [f"h{n}" for n in range(6)])
    tasks = [directory_task(checks.place / f"{n}-{{{{ inventory_hostname }}}}", name=f"Task {n}") for n in range(3)]
    slow = {"name": "Wait", "ansible.builtin.command": "sleep 0.{{ inventory_hostname[1] }}", "check_mode": False, "changed_when": False}
    checks.playbook({"strategy": "free", "tasks": [tasks[0], slow, *tasks[1:]]})
    found = checks.run().of("drift")
    assert Counter(Path(one["resource"]).name for one in found) == Counter(f"{n}-h{h}" for n in range(3) for h in range(6))
    assert all(one["task"] == f"Task {Path(one['resource']).name[0]}" and one["resource"].endswith(one["host"]) for one in found)


def test_no_secret_is_in_any_output(checks: Checks) -> None:
    """Vaults, no_log, contents, addresses and keys: byte by byte, in no record, report, state file, nor on the screen."""
    vault = checks.folder / "vault-password"
    vault.write_text("open sesame")
    options = ["--vault-password-file", str(vault)]
    (checks.folder / "group_vars").mkdir()
    whole = checks.folder / "group_vars" / "all.yml"
    whole.write_text(f"of_file: {SECRETS['of a vaulted file']}\n")
    checks.call("ansible-vault", "encrypt", *options, whole)
    inline = checks.call("ansible-vault", "encrypt_string", *options, SECRETS["of a vaulted value"]).stdout
    place = checks.place
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRETS['of a private key']}\n-----END OPENSSH PRIVATE KEY-----\n"
    tasks = [
        {
            "name": "Copy",
            "ansible.builtin.copy": {"content": f"a\n{SECRETS['of copied content']} {{{{ of_value }}}}\n", "dest": f"{place}/copy"},
        },
        {"name": "Key", "ansible.builtin.copy": {"content": key, "dest": f"{place}/shown.pem"}},
        {"name": "No log", "no_log": True, "ansible.builtin.copy": {"content": SECRETS["of a no_log task"], "dest": f"{place}/nolog"}},
        {
            "name": "Items",
            "no_log": True,
            "ansible.builtin.file": {"path": f"{place}/{{{{ item }}}}", "state": "touch"},
            "loop": [SECRETS["of a no_log item"]],
        },
        {"name": "Link", "ansible.builtin.file": {"src": "{{ of_file }}", "dest": f"{place}/link", "state": "link", "force": True}},
        {
            "name": "Shown",
            "ansible.builtin.copy": {"content": f"u = postgres://u:{SECRETS['of an address']}@db/\nfine\n", "dest": f"{place}/shown.conf"},
        },
        {"name": "Command", "ansible.builtin.command": f"curl https://u:{SECRETS['of an address']}@host/"},
    ]
    value = "\n".join(f"      {line}" for line in inline.splitlines()[1:])
    book = f"- hosts: h1\n  gather_facts: false\n  vars:\n    of_value: !vault |\n{value}\n  tasks: {json.dumps(tasks)}\n"
    (checks.folder / "site.yml").write_text(book)
    outcome = checks.run(*options, STEADFAST_DRIFT_SHOW_TEXT=f"{place}/shown*")
    assert len(outcome.of("drift")) == 6, outcome.text
    (checks.folder / "screen.log").write_text(outcome.text)
    written = [checks.folder / "screen.log", *(path for path in checks.state.rglob("*") if path.is_file())]
    assert len(written) >= 9
    content = {path.name: path.read_bytes() for path in written}
    assert [(name, what) for name, text in content.items() for what, secret in SECRETS.items() if secret.encode() in text] == []
    assert b"fine" in content["report.json"]  # so lines of allowed files are there, and only the secret is not
    assert {path.stat().st_mode & 0o077 for path in checks.state.rglob("*")} == {0}

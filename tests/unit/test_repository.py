# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the repository promises to people who clone it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("demo", "dev")


def text_of(name: str) -> str:
    """What a file of requirements says."""
    return (ROOT / "requirements" / name).read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_python_package_is_pinned_with_hashes(lock: str) -> None:
    """Each requirement of a lock has one version and at least one hash."""
    requirements = [block for block in re.split(r"\n(?=\S)", re.sub(r"(?m)^ *#.*\n", "", text_of(f"{lock}.lock"))) if block.strip()]
    assert len(requirements) > 30
    assert [block for block in requirements if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ (; .+ )?\\\n    --hash=sha256:", block)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_index(lock: str) -> None:
    """Where packages come from is for the machine to say that installs them."""
    assert re.findall(r"(?i)https?:|file:|--(?:extra-)?index|find-links", text_of(f"{lock}.lock")) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_has_what_was_asked_for(lock: str) -> None:
    """Nothing was forgotten when the lock was made."""
    asked = re.findall(r"(?m)^([A-Za-z][\w-]*)", text_of(f"{lock}.in"))
    locked = {name.lower() for name in re.findall(r"(?m)^([\w.-]+)==", text_of(f"{lock}.lock"))}
    assert asked and [name for name in asked if name.lower() not in locked] == []


def test_the_locks_agree() -> None:
    """What the demonstration runs with is what is tested."""
    demo, dev = ({line.split(" ")[0] for line in text_of(f"{lock}.lock").splitlines() if re.match(r"\S+==", line)} for lock in LOCKS)
    assert demo <= dev


def test_the_commands_can_be_run_and_explain_themselves() -> None:
    """./dev help names every part of the tests; an unknown command is refused with the same text."""
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    parts = " ".join(re.findall(r"(?m)^(?:PARTS|EXTRAS)=\((.*)\)", (ROOT / "tests" / "run.sh").read_text()))
    assert "unit" in parts and "long" in parts
    helped = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert [part for part in parts.split() if part not in helped] == []
    wrong = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "no command tset" in wrong.stderr


def test_where_time_is_over_long_tests_are_left_out_by_name() -> None:
    """A run that has an end neither goes beyond it nor keeps silent about what it did not try."""
    command = [sys.executable, "-m", "pytest", "-rs", "--quiet", "tests/integration/stock_clients/test_amazon_aws.py"]
    environment = {**os.environ, "STEADFAST_TESTS_UNTIL": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "test_a_playbook_of_amazon_aws_works: no time was left for it" in done.stdout
    assert "1 skipped" in done.stdout


def test_settings_point_to_nothing_but_the_local_ec2() -> None:
    """Whatever account the shell is set up for, `./dev env` leads away from it."""
    account = {"AWS_PROFILE": "prod", "AWS_ENDPOINT_URL": "https://ec2.example", "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_REGION": "eu-west-1"}
    script = 'eval "$(./dev env)"; env'
    shell = subprocess.run(["bash", "-c", script], cwd=ROOT, env={**os.environ, **account}, capture_output=True, text=True, check=True)
    settings = dict(line.split("=", 1) for line in shell.stdout.splitlines() if "=" in line)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", settings["AWS_ENDPOINT_URL"])
    assert settings["AWS_ACCESS_KEY_ID"] == "sandbox"
    assert settings.keys() & {"AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"} == set()


def test_no_playbook_copies_an_address() -> None:
    """Hosts and where they answer come from the inventory alone; after a change it is read again."""
    books = {path.name: path.read_text() for path in (ROOT / "playbooks").glob("*.yml")}
    assert "site.yml" in books
    assert [name for name, text in books.items() if re.search(r"add_host|ansible_host\b", text)] == []
    assert any("refresh_inventory" in text for text in books.values())

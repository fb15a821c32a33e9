# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the repository promises to people who clone it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements" / "dev.lock").read_text()


def test_every_python_package_is_pinned_with_hashes() -> None:
    """Each requirement of the lock has one version and at least one hash."""
    requirements = [block for block in re.split(r"\n(?=\S)", re.sub(r"(?m)^ *#.*\n", "", LOCK)) if block.strip()]
    assert len(requirements) > 50
    assert [block for block in requirements if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ (; .+ )?\\\n    --hash=sha256:", block)] == []


def test_the_lock_names_no_index() -> None:
    """Where packages come from is for the machine to say that installs them."""
    assert re.findall(r"(?i)https?:|file:|--(?:extra-)?index|find-links", LOCK) == []


def test_the_lock_has_what_was_asked_for() -> None:
    """Nothing in dev.in was forgotten when the lock was made."""
    asked = re.findall(r"(?m)^([A-Za-z][\w-]*)", (ROOT / "requirements" / "dev.in").read_text())
    locked = {name.lower() for name in re.findall(r"(?m)^([\w.-]+)==", LOCK)}
    assert [name for name in asked if name.lower() not in locked] == []


def test_the_commands_can_be_run_and_explain_themselves() -> None:
    """./dev help names every part of the tests; an unknown command is refused with the same text."""
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    parts = re.search(r"PARTS=\((.*)\)", (ROOT / "tests" / "run.sh").read_text())
    assert parts is not None
    helped = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True).stdout
    assert [part for part in parts.group(1).split() if part not in helped] == []
    wrong = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "no command tset" in wrong.stderr


def test_settings_point_to_nothing_but_the_local_ec2() -> None:
    """Whatever account the shell is set up for, `./dev env` leads away from it."""
    account = {"AWS_PROFILE": "prod", "AWS_ENDPOINT_URL": "https://ec2.example", "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_REGION": "eu-west-1"}
    script = 'eval "$(./dev env)"; env'
    shell = subprocess.run(["bash", "-c", script], cwd=ROOT, env={**os.environ, **account}, capture_output=True, text=True, check=True)
    settings = dict(line.split("=", 1) for line in shell.stdout.splitlines() if "=" in line)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", settings["AWS_ENDPOINT_URL"])
    assert settings["AWS_ACCESS_KEY_ID"] == "sandbox"
    assert settings.keys() & {"AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"} == set()

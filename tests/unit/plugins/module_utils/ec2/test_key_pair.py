# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key pairs: made here or imported, told apart without asking for more than a fingerprint, and never given away."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, fingerprint, view
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput, Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import PUBLIC_KEY, Account, Api

LIMITS = Limits(workers=2, pace=Pace(first=0.0, gather=0.0), patience=1.0)


class Silent(Api):
    """An API that shows fingerprints and no public halves, as for callers that do not ask for them."""

    def _DescribeKeyPairs(self, params: Any) -> Any:  # noqa: N802 - the API's name
        return {"KeyPairs": [{**one, "PublicKey": None} for one in super()._DescribeKeyPairs(params)["KeyPairs"]]}


def run(account: Account, silent: bool = False, check: bool = False, **options: Any) -> Outcome:
    declared = Declaration(key_pairs=(declare.key_pair({"name": "k", **options}),))
    return reconcile(Fleet(declared, (Silent if silent else Api)(account), LIMITS), check)


def make(path: Path, kind: str, *more: str) -> str:
    """A private key as somebody else made it; its public line."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "me", "-f", path, *more], check=True)
    return path.with_suffix(".pub").read_text()


def in_account(public_key: str, shown: str, kind: str) -> Account:
    """An account with the key pair k, that shows this fingerprint."""
    account = Account()
    account.key_pairs["k"] = {
        "KeyPairId": "key-1",
        "KeyName": "k",
        "KeyType": kind,
        "KeyFingerprint": shown,
        "PublicKey": public_key,
        "Tags": {},
    }
    return account


@pytest.mark.parametrize(("kind", "which"), [("ed25519", 0), ("rsa", 1), ("rsa", 2)])
def test_the_file_is_recognised_by_the_fingerprint_alone(kind: str, which: int, tmp_path: Path) -> None:
    """ED25519, RSA imported, RSA made by AWS: the right file changes nothing, another one is refused."""
    file, other = tmp_path / "key", tmp_path / "other"
    public = make(file, kind, *(["-b", "2048"] if kind == "rsa" else []))
    make(other, kind, *(["-b", "2048"] if kind == "rsa" else []))
    account = in_account(public, fingerprint.fingerprints(public, file.read_text())[which], kind)
    outcome = run(account, silent=True, private_key_file=str(file))
    assert not outcome.plan.changed
    assert outcome.plan.to_result()["notes"] == []
    with pytest.raises(Refused, match="another key in the account than the private key file"):
        run(account, silent=True, private_key_file=str(other))
    assert set(account.calls) == {"DescribeKeyPairs"}


def test_a_public_half_is_recognised_by_the_fingerprint_alone() -> None:
    """Also without the API's copy of it; comments do not count."""
    account = in_account("", fingerprint.fingerprints(PUBLIC_KEY)[0], "ed25519")
    assert not run(account, silent=True, public_key=f"{PUBLIC_KEY} somebody@here\n").plan.changed


def test_what_cannot_be_told_is_noted(tmp_path: Path) -> None:
    """A key that AWS made, and only its public half declared: neither refused nor passed over in silence."""
    public = make(tmp_path / "key", "rsa", "-b", "2048")
    account = in_account(public, "ab:" * 19 + "ab", "rsa")
    outcome = run(account, silent=True, public_key=public)
    assert not outcome.plan.changed
    assert "cannot be told from its fingerprint ab:ab" in outcome.plan.to_result()["notes"][0]


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """key_type is compared like everything that is declared: with the account, with the file, with the public half."""
    account = in_account(PUBLIC_KEY, "x", "ed25519")
    with pytest.raises(Refused, match="key of another kind"):
        run(account, key_type="rsa")
    make(tmp_path / "key", "ed25519")
    with pytest.raises(InvalidInput, match="private key file is of another kind"):
        run(Account(), key_type="rsa", private_key_file=str(tmp_path / "key"))
    with pytest.raises(InvalidInput, match="public_key is of another kind"):
        run(Account(), key_type="rsa", public_key=PUBLIC_KEY)


def test_a_kind_that_ec2_does_not_take_is_refused(tmp_path: Path) -> None:
    """Before the API refuses it with less words."""
    make(tmp_path / "key", "ecdsa")
    with pytest.raises(InvalidInput, match="kind that EC2 does not take"):
        run(Account(), private_key_file=str(tmp_path / "key"))


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_the_private_half_leaves_the_machine_nowhere(kind: str, tmp_path: Path) -> None:
    """It is in its file, 0400; not in a plan, a diff, a result or a request. An RSA key has a length that EC2 takes."""
    account, sent = Account(), []

    class Watched(Api):
        def call(self, operation: str, params: Any) -> Any:
            sent.append(str(params))
            return super().call(operation, params)

    file = tmp_path / "key.pem"
    declared = Declaration(key_pairs=(declare.key_pair({"name": "k", "key_type": kind, "private_key_file": str(file)}),))
    outcome = reconcile(Fleet(declared, Watched(account), LIMITS), False)
    text = file.read_text()
    everything = str(outcome.plan.to_result()) + str(view.result("key_pair", declared, outcome)) + "".join(sent) + str(outcome)
    assert not any(line in everything for line in text.splitlines()[1:-1])
    assert "PRIVATE" not in everything
    assert file.stat().st_mode & 0o777 == 0o400
    if kind == "rsa":
        shown = subprocess.run(["ssh-keygen", "-l", "-f", file], capture_output=True, text=True, check=True).stdout
        assert shown.startswith("4096 ")


def test_check_mode_writes_no_key(tmp_path: Path) -> None:
    """A check predicts the key and leaves the directory as it was."""
    outcome = run(Account(), check=True, private_key_file=str(tmp_path / "key.pem"))
    assert [step.verb for step in outcome.plan.effective[0].steps] == ["ssh-keygen", "ImportKeyPair"]
    assert list(tmp_path.iterdir()) == []


def test_comparing_makes_nothing_in_the_account(tmp_path: Path) -> None:
    """No temporary key pair is imported to learn a fingerprint."""
    account = Account()
    for _run in range(2):
        run(account, private_key_file=str(tmp_path / "key.pem"))
    assert [call for call in account.calls if not call.startswith("Describe")] == ["ImportKeyPair"]


def test_tags_are_kept_with_every_way_to_declare_a_key() -> None:
    """A declared public half does not keep the tags from being changed."""
    account = Account()
    run(account, public_key=PUBLIC_KEY)
    run(account, public_key=PUBLIC_KEY, tags={"Project": "moso"})
    assert account.key_pairs["k"]["Tags"] == {"Project": "moso"}

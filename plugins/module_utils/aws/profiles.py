# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the profiles of ~/.aws/config mean for a run that nobody sits in front of. Pure."""

from __future__ import annotations

from typing import Mapping, Set

from ..engine.errors import InvalidInput

Profile = Mapping[str, str]
#: What a profile says about the account behind credentials that are renewed all the time.
WHOSE = ("role_arn", "source_profile", "credential_source", "credential_process", "sso_account_id", "sso_role_name", "sso_session")
#: How botocore calls the sources of keys that stay the same.
LASTING = ("env", "shared-credentials-file", "config-file")


def refuse_questions(profiles: Mapping[str, Profile], name: str) -> None:
    """Raise InvalidInput where a profile wants the code of an MFA device: it would wait for somebody to type it in."""
    seen: Set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        profile = profiles[name]
        if profile.get("role_arn") and profile.get("mfa_serial"):
            raise InvalidInput(
                "the profile wants the code of an MFA device, and nobody can type one into a task",
                resource=f"profile {name}",
                found=f"mfa_serial {profile['mfa_serial']}",
                do="Get a session beforehand and hand it over in the environment: eval $(aws configure export-credentials "
                f"--profile {name} --format env). Or use aws sso login, or a role without MFA.",
            )
        name = profile.get("source_profile", "")


def identity(method: str, access_key: str, name: str, profile: Profile) -> str:
    """Which credentials are in use: the key where it stays the same, else what the profile says about them. Never a secret."""
    if method in LASTING:
        return access_key
    return " ".join([method, name, *(f"{word}={profile[word]}" for word in WHOSE if word in profile)])

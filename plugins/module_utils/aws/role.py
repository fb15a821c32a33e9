# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The client of a task: with the credentials as they are, or in a role that they are allowed to assume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Mapping, Optional

from ..engine.errors import CallFailed
from .client import Client
from .connection import Connection

SESSION_NAME = "steadfast.ec2"


def connect(options: Mapping[str, Any], service: str = "ec2") -> Client:
    """The client that the connection options of a module mean; the call that assumes a role is counted in its `api`."""
    connection = Connection.from_options(options)
    role = options.get("role_arn")
    if not role:
        return Client(connection, service)
    sts = Client(connection, "sts")
    assumed = assume(sts, role, options.get("role_session_name"), options.get("external_id"))
    client = Client(assumed, service)
    client.include(sts)
    return client


def assume(sts: Client, role_arn: str, session_name: Optional[str] = None, external_id: Optional[str] = None) -> Connection:
    """The connection of `sts`, but as the role, for an hour; raises CallFailed that says whom the role has to trust."""
    request: Dict[str, Any] = {"RoleArn": role_arn, "RoleSessionName": session_name or SESSION_NAME}
    if external_id:
        request["ExternalId"] = external_id
    try:
        found = sts.call("AssumeRole", request)["Credentials"]
    except CallFailed as error:
        denied = error.code in ("AccessDenied", "AccessDeniedException")
        do = (
            "Both sides have to allow it: the policy of these credentials the IAM action sts:AssumeRole on the role, and the trust policy "
            "of the role these credentials, with the external_id that it demands."
        )
        raise CallFailed(
            f"the role cannot be assumed: {error.why}",
            resource=role_arn,
            found=error.found,
            code=error.code,
            operation="AssumeRole",
            do=do if denied else error.do,
        ) from error
    return replace(
        sts.connection,
        region=sts.region,
        profile=None,
        access_key=found["AccessKeyId"],
        secret_key=found["SecretAccessKey"],
        session_token=found["SessionToken"],
    )

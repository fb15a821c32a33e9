# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carry out the steps about snapshots and images so that a lost answer makes nothing twice."""

from __future__ import annotations

import time
from typing import Any, Callable, List, Mapping, Optional

from ...aws import tags as tag_words
from ...aws.client import Client
from ...aws.failures import throttled
from ...engine.errors import CallFailed, SteadfastError
from ...engine.execute import Performed, Performer, references
from ...engine.plan import Step
from ...engine.wait import Wait
from ..describe import api_filter, describe
from ..once import sent_once, token
from .state import IMAGE, SNAPSHOT

Params = Mapping[str, Any]

_NOT_VISIBLE = {"InvalidSnapshot.NotFound": SNAPSHOT, "InvalidAMIID.NotFound": IMAGE, "InvalidAMIID.Unavailable": IMAGE}
_ALREADY = {"DeleteSnapshot": ("InvalidSnapshot.NotFound",), "DeregisterImage": ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")}
_NOT_YET = {"CreateSnapshot": ("SnapshotCreationPerVolumeRateExceeded",), "DeleteSnapshot": ("InvalidSnapshot.InUse",)}
_FAILED = ("error", "failed", "invalid")


class BackupPerformer(Performer):
    """Performs steps with one client; `wait`: whether what is made must be complete before it counts as done."""

    def __init__(self, client: Client, wait: bool, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._wait = wait
        self._sleep = sleep

    def perform(self, step: Step) -> Performed:
        """Carry out `step`; an error that means "it is already so" counts as done."""
        params = step.params
        if step.verb in ("DescribeSnapshots", "DescribeImages"):
            kind, ids = (SNAPSHOT, params["SnapshotIds"]) if step.verb == "DescribeSnapshots" else (IMAGE, params["ImageIds"])
            return Performed({}, wait_for(kind, ids[0]))
        try:
            response = self._call(step.verb, params)
        except CallFailed as error:
            if error.code in _ALREADY.get(step.verb, ()):
                return Performed()
            raise
        if step.verb == "DeregisterImage":
            _check_deleted(response)
        if step.verb[:4] not in ("Crea", "Copy") or step.verb == "CreateTags":
            return Performed()
        kind = SNAPSHOT if step.verb.endswith("Snapshot") else IMAGE
        identity = str(response.get("SnapshotId") or response.get("ImageId"))
        return Performed({"id": identity}, wait_for(kind, identity) if self._wait else None)

    def again(self, step: Step, error: SteadfastError) -> bool:
        """Whether to try again: throttled, which is never carried out, not visible everywhere yet, or not possible yet."""
        if not isinstance(error, CallFailed):
            return False
        if throttled(error) or error.code in _NOT_YET.get(step.verb, ()):
            return True
        return _NOT_VISIBLE.get(error.code) in {ref.kind for ref in references(step.params)}

    def look(self, kind: str, identities: List[str]) -> Mapping[str, Any]:
        """The present state of each, by filter, so that one that is not visible yet does not spoil the others."""
        word = "SnapshotId" if kind == SNAPSHOT else "ImageId"
        return {raw[word]: raw for raw in describe(self._client, f"{kind}s", [api_filter(f"{kind}-id", identities)])}

    def _call(self, verb: str, params: Params) -> Mapping[str, Any]:
        if verb in ("CreateSnapshot", "CopySnapshot"):
            return sent_once(lambda: self._client.call_once(verb, params), lambda: self._same(params), self._sleep)
        if verb == "CopyImage":
            params = {**params, "ClientToken": token(params, 0)}
        try:
            return self._client.call(verb, params)
        except CallFailed as error:
            there = self._same(params) if verb in ("CreateImage", "CopyImage") and error.code == "InvalidAMIName.Duplicate" else None
            if there is None:
                raise
            return there

    def _same(self, params: Params) -> Optional[Mapping[str, Any]]:
        """What carries the name and the tags that `params` would give. The plan was made because there was none."""
        tags = tag_words.from_api(params["TagSpecifications"][0]["Tags"])
        filters = [api_filter(f"tag:{key}", [value]) for key, value in sorted(tags.items())]
        if "Name" in params:
            filters.append(api_filter("name", [params["Name"]]))
        found = describe(self._client, "images" if "Name" in params else "snapshots", filters)
        return found[0] if len(found) == 1 else None


def wait_for(kind: str, identity: str) -> Wait:
    """Until it is complete; raises where it failed, in AWS's own words."""
    until = "completed" if kind == SNAPSHOT else "available"

    def done(seen: Any) -> bool:
        state = (seen or {}).get("State")
        if state in _FAILED:
            reason = seen.get("StateMessage") or (seen.get("StateReason") or {}).get("Message") or state
            do = "The reason is AWS's own; an encryption key that may not be used is common. Delete it, and run again."
            raise CallFailed("could not be made", code=f"{kind.capitalize()}Failed", found=str(reason), do=do)
        return bool(state == until)

    return Wait(kind, identity, until, done, lambda seen: f"{seen.get('State')} {seen.get('Progress', '')}" if seen else "not visible yet")


def _check_deleted(response: Mapping[str, Any]) -> None:
    """AWS deregisters although a snapshot could not be deleted; that is said, with their ids, because nothing finds them by name again."""
    codes = {str(one.get("SnapshotId")): str(one.get("ReturnCode")) for one in response.get("DeleteSnapshotResults") or ()}
    left = {identity: code for identity, code in codes.items() if code not in ("success", "skipped")}
    if left:
        raise CallFailed(
            "the image is deregistered, but not all of its snapshots could be deleted",
            code="SnapshotsLeft",
            operation="DeregisterImage",
            found=", ".join(f"{identity}: {code}" for identity, code in sorted(left.items())),
            do="Delete them by their ids; AWS charges for them.",
        )

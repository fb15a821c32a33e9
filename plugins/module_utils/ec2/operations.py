# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each API operation yields, what has to be waited for after it, and which of its errors mean that all is well. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..engine.errors import Busy, CallFailed
from ..engine.wait import Wait
from . import facts

Params = Mapping[str, Any]
Response = Mapping[str, Any]


def _nothing(params: Params, response: Response) -> Dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Operation:
    """How one operation of the API behaves."""

    #: What Refs can name afterwards.
    outputs: Callable[[Params, Response], Dict[str, Any]] = _nothing
    #: (kind, id of what is waited for, until what); None where the answer is the end of it.
    wait: Optional[Tuple[str, Callable[[Params, Response], str], str]] = None
    #: What the answer itself shows of it, so that what is already over is not waited for.
    shows: Callable[[Params, Response], Any] = lambda params, response: None
    #: Codes that mean: it is already so.
    already: Tuple[str, ...] = ()
    #: Codes that mean: not yet.
    not_yet: Tuple[str, ...] = ()
    #: Whether a ClientToken makes sending it twice harmless.
    token: bool = False
    #: Its parameter that takes a list of ids, so that requests which differ in nothing else can be one.
    ids: str = ""


def _first(params: Params, response: Response) -> str:
    return str(params["InstanceIds"][0])


def _launched(params: Params, response: Response) -> Dict[str, Any]:
    instance = response["Instances"][0]
    return {"id": instance["InstanceId"], "zone": (instance.get("Placement") or {}).get("AvailabilityZone")}


OPERATIONS: Mapping[str, Operation] = {
    "ImportKeyPair": Operation(lambda params, response: {"name": params["KeyName"], "id": response.get("KeyPairId")}),
    "DeleteKeyPair": Operation(already=("InvalidKeyPair.NotFound",)),
    "CreateSecurityGroup": Operation(lambda params, response: {"id": response["GroupId"]}),
    # only by ids, one at a time; by what they say, see the performer
    "RevokeSecurityGroupIngress": Operation(already=("InvalidSecurityGroupRuleId.NotFound",)),
    "RevokeSecurityGroupEgress": Operation(already=("InvalidSecurityGroupRuleId.NotFound",)),
    "DeleteSecurityGroup": Operation(already=("InvalidGroup.NotFound",), not_yet=("DependencyViolation",)),
    "RunInstances": Operation(
        _launched, ("instance", lambda params, response: str(response["Instances"][0]["InstanceId"]), "running"), token=True
    ),
    "DescribeInstanceStatus": Operation(
        wait=("instance_status", _first, "status checks passed"),
        shows=lambda params, response: next(iter(response.get("InstanceStatuses") or ()), None),
    ),
    "StartInstances": Operation(wait=("instance", _first, "running"), not_yet=("IncorrectInstanceState",), ids="InstanceIds"),
    "StopInstances": Operation(wait=("instance", _first, "stopped"), not_yet=("IncorrectInstanceState",), ids="InstanceIds"),
    "RebootInstances": Operation(ids="InstanceIds"),
    "TerminateInstances": Operation(wait=("instance", _first, "terminated"), already=("InvalidInstanceID.NotFound",), ids="InstanceIds"),
    "CreateTags": Operation(ids="Resources"),
    "DeleteTags": Operation(ids="Resources"),
    "ModifyInstanceAttribute": Operation(not_yet=("IncorrectInstanceState",)),
    "CreateVolume": Operation(
        lambda params, response: {"id": response["VolumeId"], "zone": response.get("AvailabilityZone")},
        ("volume", lambda params, response: str(response["VolumeId"]), "available"),
        shows=lambda params, response: response,
        token=True,
    ),
    "AttachVolume": Operation(
        wait=("volume", lambda params, response: str(params["VolumeId"]), "attached"),
        shows=lambda params, response: {"Attachments": [response]},
        not_yet=("IncorrectState", "IncorrectInstanceState"),
    ),
    "DetachVolume": Operation(already=("IncorrectState",), wait=("volume", lambda params, response: str(params["VolumeId"]), "detached")),
    "DeleteVolume": Operation(already=("InvalidVolume.NotFound",), not_yet=("VolumeInUse",)),
    "ModifyVolume": Operation(
        wait=("volume_modification", lambda params, response: str(params["VolumeId"]), "modified"),
        shows=lambda params, response: response.get("VolumeModification"),
    ),
    "AllocateAddress": Operation(lambda params, response: {"id": response["AllocationId"], "public_ip": response.get("PublicIp")}),
    "AssociateAddress": Operation(not_yet=("IncorrectInstanceState", "InvalidInstanceID")),
    "DisassociateAddress": Operation(already=("InvalidAssociationID.NotFound",)),
    "ReleaseAddress": Operation(already=("InvalidAllocationID.NotFound", "InvalidAddress.NotFound"), not_yet=("InvalidIPAddress.InUse",)),
}
_PLAIN = Operation()

#: "It does not exist" right after it was made only means that the API does not show it everywhere yet: {code: kind}.
NOT_VISIBLE = {
    "InvalidInstanceID.NotFound": "instance",
    "InvalidVolume.NotFound": "volume",
    "InvalidVolumeID.NotFound": "volume",
    "InvalidGroup.NotFound": "security_group",
    "InvalidGroupId.NotFound": "security_group",
    "InvalidSecurityGroupID.NotFound": "security_group",
    "InvalidAllocationID.NotFound": "elastic_ip",
    "InvalidKeyPair.NotFound": "key_pair",
}


#: In the params of a RunInstances: what else is acceptable where there is no room, as a list of params to put in their place.
ALTERNATIVES = "steadfast:alternatives"
#: Codes that say that there is no room for an instance, at this moment and in this place.
_NO_ROOM = ("InsufficientInstanceCapacity", "InsufficientHostCapacity", "SpotMaxPriceTooLow", "MaxSpotInstanceCountExceeded", "Unsupported")


def no_room(error: CallFailed) -> bool:
    """Whether another zone or instance type may help."""
    return error.code in _NO_ROOM


def profile_unknown(error: CallFailed) -> bool:
    """Whether EC2 does not know an instance profile: IAM tells it about a new one some seconds later. It has no code of its own."""
    return error.code == "InvalidParameterValue" and "iam instance profile" in error.why.lower()


def operation(verb: str) -> Operation:
    """How `verb` behaves; an operation that needs no special care has no entry in the table."""
    return OPERATIONS.get(verb, _PLAIN)


def wait_after(verb: str, params: Params, response: Response) -> Optional[Wait]:
    """What has to be waited for after `verb`, None where its answer already shows that it is over."""
    how = operation(verb)
    if how.wait is None:
        return None
    kind, identity, until = how.wait
    done = _UNTIL[(kind, until)] if (kind, until) in _UNTIL else partial(_OF_ATTACHMENT[until], params)
    if done(how.shows(params, response)):
        return None
    return Wait(kind, identity(params, response), until, done, _STATE[kind])


def _running(seen: Any) -> bool:
    state = instance_state(seen)
    if state in facts.GONE:
        reason = seen.get("StateReason") or {}
        raise CallFailed(
            "ended instead of starting",
            code=str(reason.get("Code") or "Terminated"),
            operation="RunInstances",
            found=str(reason.get("Message") or state),
            do="The reason is AWS's own; a volume limit, the key of an encrypted image or missing capacity are common.",
        )
    return state == "running"


def _volume_ready(seen: Any) -> bool:
    if seen and seen.get("State") == "error":
        raise CallFailed(
            "could not be made",
            code="VolumeError",
            operation="CreateVolume",
            found="state error",
            do="Check that the snapshot and the encryption key can be used.",
        )
    return bool(seen) and seen.get("State") in ("available", "in-use")


def _attachments(params: Params, seen: Any) -> List[str]:
    """States of the attachments to the instance that `params` name."""
    found = (seen or {}).get("Attachments") or ()
    return [str(one.get("State")) for one in found if one.get("InstanceId") in (None, params.get("InstanceId"))]


def _volume_attached(params: Params, seen: Any) -> bool:
    return "attached" in _attachments(params, seen)


def _volume_detached(params: Params, seen: Any) -> bool:
    states = _attachments(params, seen)
    if "busy" in states and not params.get("Force"):
        raise Busy(
            "its instance does not let go of it",
            wanted="detached",
            found=f"attachment busy on {params['InstanceId']}",
            do="It is in use there: unmount it (module disk with state: absent, or umount), then it comes off by itself; run again. "
            "force_detach: true pulls it off like a plug; that can damage its filesystem, and is for an instance that is beyond help.",
        )
    return seen is not None and all(state == "detached" for state in states)


def _volume_modified(seen: Any) -> bool:
    """From `optimizing` on, the new size is there; `completed` can take a day."""
    state = (seen or {}).get("ModificationState")
    if state == "failed":
        raise CallFailed(
            "could not be modified",
            code="VolumeModificationFailed",
            operation="ModifyVolume",
            found=str(seen.get("StatusMessage") or state),
        )
    return state in ("optimizing", "completed")


def instance_state(seen: Any) -> str:
    """The name of the state an instance was seen in."""
    return str(((seen or {}).get("State") or {}).get("Name") or "not visible yet")


def _checks(seen: Any) -> List[str]:
    """What the checks of an instance and of the system under it say."""
    return [str(((seen or {}).get(name) or {}).get("Status") or "not known yet") for name in ("InstanceStatus", "SystemStatus")]


_UNTIL: Mapping[Tuple[str, str], Callable[[Any], bool]] = {
    ("instance", "running"): lambda seen: seen is not None and _running(seen),
    ("instance_status", "status checks passed"): lambda seen: _checks(seen) == ["ok", "ok"],
    ("instance", "stopped"): lambda seen: instance_state(seen) == "stopped",
    ("instance", "terminated"): lambda seen: seen is not None and instance_state(seen) == "terminated",
    ("volume", "available"): _volume_ready,
    ("volume_modification", "modified"): _volume_modified,
}
#: What depends on which instance the step is about.
_OF_ATTACHMENT: Mapping[str, Callable[[Params, Any], bool]] = {"attached": _volume_attached, "detached": _volume_detached}
_STATE: Mapping[str, Callable[[Any], str]] = {
    "instance": instance_state,
    "instance_status": lambda seen: "instance and system status " + ", ".join(_checks(seen)),
    "volume": lambda seen: (
        "not visible yet"
        if seen is None
        else f"{seen.get('State')}, attachments {[one.get('State') for one in seen.get('Attachments') or ()]}"
    ),
    "volume_modification": lambda seen: (
        "not visible yet" if seen is None else f"{seen.get('ModificationState')} {seen.get('Progress', '')}%"
    ),
}

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carry out single steps against the API so that a lost answer, or a run that was killed, never makes anything twice."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..aws import tags as tag_words
from ..aws.client import Client
from ..aws.failures import answer_lost, concerns_all, throttled
from ..engine.errors import CallFailed, SteadfastError
from ..engine.execute import Batch, Performed, Performer, references
from ..engine.plan import Step
from . import facts, key_files, modification
from .describe import KINDS, api_filter, describe, portions
from .key_pair import GENERATE
from .once import PAUSES, look_for, sent_once, token
from .operations import ALTERNATIVES, NOT_VISIBLE, instance_state, no_room, operation, profile_unknown, wait_after

#: Requests that are made one take so many ids in all; more of them only make the damage of a wrong one larger.
_TOGETHER = 100
#: A token is used up by an instance that has ended since; then the next is tried, at most so often.
_GENERATIONS = 50
#: DescribeInstanceStatus takes at most so many ids.
_STATUSES = 100
_USED_TOKEN = ("IdempotentParameterMismatch", "IdempotentInstanceTerminated", "InvalidIdempotencyToken", "IdempotentVolumeDeleted")

#: The code by which the API says that a rule is there already, or is gone already.
_RULE_IS_SO = {
    "AuthorizeSecurityGroupIngress": "InvalidPermission.Duplicate",
    "AuthorizeSecurityGroupEgress": "InvalidPermission.Duplicate",
    "RevokeSecurityGroupIngress": "InvalidPermission.NotFound",
    "RevokeSecurityGroupEgress": "InvalidPermission.NotFound",
}

Response = Mapping[str, Any]


class Ec2Performer(Performer):
    """Performs steps with one client."""

    def __init__(self, client: Client, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep
        #: What should be known about what was done, in whole sentences.
        self.notes: List[str] = []
        self._special: Mapping[str, Callable[[Mapping[str, Any]], Response]] = {
            "AllocateAddress": self._allocate,
            **{verb: partial(self._rules, verb, code) for verb, code in _RULE_IS_SO.items()},
            "CreateSecurityGroup": self._create_group,
            "ImportKeyPair": self._import_key,
            "AttachVolume": self._attach,
            "DetachVolume": self._detach,
            "ModifyVolume": self._modify,
        }

    def perform(self, step: Step) -> Performed:
        """Carry out `step`; an error that means "it is already so" counts as done."""
        if step.verb == GENERATE:
            return Performed({"public_key": key_files.generate(step.params["path"], step.params["type"], step.params["comment"])})
        how = operation(step.verb)
        try:
            if step.verb == "RunInstances":
                response = self._launch(step.params)
            elif how.token:
                response = self._with_token(step.verb, step.params, step.params)
            else:
                special = self._special.get(step.verb)
                response = special(step.params) if special else self._client.call(step.verb, step.params)
        except CallFailed as error:
            if error.code not in how.already:
                raise
            return Performed()
        return Performed(how.outputs(step.params, response), wait_after(step.verb, step.params, response))

    def batch(self, step: Step) -> Optional[Batch]:
        """Steps that differ only in a list of ids go together."""
        ids = operation(step.verb).ids
        if not ids:
            return None
        others = {name: value for name, value in step.params.items() if name != ids}
        key = (step.verb, json.dumps(others, sort_keys=True, default=str))
        return Batch(key, max(1, _TOGETHER // len(step.params[ids])))

    def perform_together(self, steps: List[Step]) -> List[Performed]:
        """One request with the ids of all `steps`."""
        verb, ids = steps[0].verb, operation(steps[0].verb).ids
        every = dict.fromkeys(one for step in steps for one in step.params[ids])
        response = self._client.call(verb, {**steps[0].params, ids: list(every)})
        return [Performed(operation(verb).outputs(step.params, response), wait_after(verb, step.params, response)) for step in steps]

    def divides(self, error: SteadfastError) -> bool:
        """What is wrong with one id may spoil a request; what is wrong with the connection or the credentials is no id's fault."""
        return not (isinstance(error, CallFailed) and concerns_all(error))

    def again(self, step: Step, error: SteadfastError) -> bool:
        """Whether to try again: not visible everywhere yet, not in the right state yet, or throttled, which is never carried out."""
        if not isinstance(error, CallFailed):
            return False
        if throttled(error):
            return True
        made_here = {ref.kind for ref in references(step.params)}
        if error.code in NOT_VISIBLE:
            return NOT_VISIBLE[error.code] in made_here
        if profile_unknown(error):
            return True
        return error.code in operation(step.verb).not_yet or (step.verb in ("AllocateAddress", "RunInstances") and answer_lost(error))

    def look(self, kind: str, identities: List[str]) -> Mapping[str, Any]:
        """The present state of each, by filter, so that one that is not visible yet does not spoil the others."""
        if kind == "instance_status":
            return self._statuses(identities)
        found = describe(self._client, f"{kind}s", [api_filter(KINDS[f"{kind}s"].id_filter, identities)])
        if kind == "instance":
            return {raw["InstanceId"]: raw for raw in facts.instances_in(found)}
        return {raw["VolumeId"]: raw for raw in found}

    def _statuses(self, identities: List[str]) -> Dict[str, Any]:
        """By ids, because there is no filter for them; they are running, so they are visible."""
        found: Dict[str, Any] = {}
        for some in portions(identities, _STATUSES):
            answer = self._client.pages("DescribeInstanceStatus", "InstanceStatuses", {"InstanceIds": some})
            found.update({raw["InstanceId"]: raw for raw in answer})
        return found

    def _launch(self, params: Mapping[str, Any]) -> Response:
        """As it is wished most; where there is no room, as is acceptable too. All under one token, so that only one is made."""
        wish = {name: value for name, value in params.items() if name != ALTERNATIVES}
        tried: Dict[str, CallFailed] = {}
        for other in ({}, *params.get(ALTERNATIVES, ())):
            asked = {**wish, **other}
            what = f"{asked.get('InstanceType')} in {(asked.get('Placement') or {}).get('AvailabilityZone') or 'its zone'}"
            try:
                response = self._with_token("RunInstances", asked, wish)
            except CallFailed as error:
                if not no_room(error):
                    raise
                tried[f"{what} ({error.code})"] = error
                continue
            if tried:
                made = response["Instances"][0]["InstanceId"]
                self.notes.append(f"instance {made} was launched as {what}, because there was no room for {', '.join(tried)}")
            return response
        last = list(tried.values())[-1]
        last.found = ", ".join(tried)
        raise last

    def _with_token(self, verb: str, params: Mapping[str, Any], wish: Mapping[str, Any]) -> Response:
        """With a token that the same wish always gets; a new one only when what the old one made is gone."""
        # The code for "no room" comes as a server's fault, which the library would try again for minutes; see `again` for the others.
        call = self._client.call_once if verb == "RunInstances" else self._client.call
        for generation in range(_GENERATIONS):
            try:
                response = call(verb, {**params, "ClientToken": token(wish, generation)})
            except CallFailed as error:
                if error.code not in _USED_TOKEN:
                    raise
                there = self._same_name(verb, params)
                if there is not None:
                    return there
                continue
            if not _gone(response):
                return response
        raise CallFailed(
            f"{verb} found every client token used up",
            code="ClientTokens",
            operation=verb,
            do="Run again in an hour; AWS then forgets what was terminated.",
        )

    def _same_name(self, verb: str, params: Mapping[str, Any]) -> Optional[Response]:
        """What the tags that `params` would set already name, as the answer of `verb`."""
        filters = _identity_filters(params)
        if verb == "CreateVolume":
            volumes = describe(self._client, "volumes", filters)
            return next((raw for raw in volumes if raw["State"] not in ("deleting", "deleted")), None)
        live = facts.live_in(describe(self._client, "instances", filters))
        return {"Instances": live[:1]} if live else None

    def _allocate(self, params: Mapping[str, Any]) -> Response:
        """Known by its tags where the answer is lost."""

        def look() -> Optional[Response]:
            return next(iter(describe(self._client, "elastic_ips", _identity_filters(params))), None)

        return sent_once(lambda: self._client.call_once("AllocateAddress", params), look, self._sleep)

    def _rules(self, verb: str, is_so: str, params: Mapping[str, Any]) -> Response:
        """All rules in one call; where some are as wanted already, the API does none of them, so then one by one."""
        try:
            return self._client.call(verb, params)
        except CallFailed as error:
            if error.code != is_so:
                raise
        permissions = params.get("IpPermissions", ())
        for permission in permissions if len(permissions) > 1 else ():
            try:
                self._client.call(verb, {**params, "IpPermissions": [permission]})
            except CallFailed as error:
                if error.code != is_so:
                    raise
        return {}

    def _create_group(self, params: Mapping[str, Any]) -> Response:
        """A group that appeared meanwhile is the one meant if it carries the same tags and description: its answer was lost."""
        try:
            return self._client.call("CreateSecurityGroup", params)
        except CallFailed as error:
            if error.code != "InvalidGroup.Duplicate":
                raise
            filters = [*_identity_filters(params), api_filter("group-name", [params["GroupName"]])]
            found = look_for(lambda: describe(self._client, "security_groups", filters), self._sleep, (0.0, *PAUSES))
            same = [raw for raw in found or () if raw["Description"] == params["Description"]]
            if len(same) != 1:
                raise
            return same[0]

    def _import_key(self, params: Mapping[str, Any]) -> Response:
        """A key pair that appeared meanwhile is taken only if it is the same key."""
        try:
            return self._client.call("ImportKeyPair", params)
        except CallFailed as error:
            if error.code != "InvalidKeyPair.Duplicate":
                raise
            found = describe(self._client, "key_pairs", [api_filter("key-name", [params["KeyName"]])])
            if not found or not key_files.same(found[0].get("PublicKey"), params["PublicKeyMaterial"]):
                raise
            return found[0]

    def _attach(self, params: Mapping[str, Any]) -> Response:
        """Already attached to the same instance, by a request whose answer was lost: that is what was wanted."""
        try:
            return self._client.call("AttachVolume", params)
        except CallFailed as error:
            if error.code != "VolumeInUse":
                raise
            seen = self.look("volume", [params["VolumeId"]]).get(params["VolumeId"]) or {}
            ours = [one for one in seen.get("Attachments") or () if one.get("InstanceId") == params["InstanceId"]]
            if not ours:
                raise
            return dict(ours[0])

    def _detach(self, params: Mapping[str, Any]) -> Response:
        """On its way already, or off already, by a request whose answer was lost: the wait after it tells."""
        try:
            return self._client.call("DetachVolume", params)
        except CallFailed as error:
            if error.code not in ("IncorrectState", "InvalidAttachment.NotFound"):
                raise
            return {}

    def _modify(self, params: Mapping[str, Any]) -> Response:
        """A modification under way is waited for if it is the one wanted; if not, the error says from when on it can be done."""
        try:
            return self._client.call("ModifyVolume", params)
        except CallFailed as error:
            if error.code not in modification.TOO_SOON:
                raise
            found = self.look("volume_modification", [params["VolumeId"]]).get(params["VolumeId"])
            if modification.is_wish(found, params):
                return {"VolumeModification": found}
            raise modification.too_soon(error, found) from error


def _gone(response: Response) -> bool:
    instances = response.get("Instances")
    if instances:
        return instance_state(instances[0]) in facts.GONE
    return response.get("State") in ("deleting", "deleted")


def _identity_filters(params: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Filters for the tags by which a resource made with `params` is known."""
    specifications: List[Mapping[str, Any]] = params.get("TagSpecifications") or [{"Tags": []}]
    tags = tag_words.from_api(specifications[0]["Tags"])
    keys: Tuple[str, ...] = (tag_words.FLEET, tag_words.MEMBER) if tag_words.FLEET in tags else (tag_words.NAME,)
    # One that takes the place of another has the same name; what it replaces tells them apart.
    keys += (tag_words.REPLACES,)
    return [api_filter(f"tag:{key}", [tags[key]]) for key in keys if key in tags]

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls about instances."""

from __future__ import annotations

import base64
from typing import Any, Dict, List, Optional

from moto.core.responses import ActionResult, EmptyResult
from moto.core.types import Base64EncodedString
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.ec2.utils import parse_user_data

from sandbox.ec2.instance_filters import passes
from sandbox.ec2.instances import CODES
from sandbox.ec2.launch import USER_DATA_LIMIT
from sandbox.ec2.option_calls import OptionCalls
from sandbox.errors import Ec2Error

#: Bytes of the console that GetConsoleOutput returns.
CONSOLE_TAIL = 65536
#: Attributes that only a stopped instance lets change.
WHEN_STOPPED = ("InstanceType", "UserData", "EbsOptimized", "EnaSupport", "SriovNetSupport", "Kernel", "Ramdisk")
CHANGEABLE = (*WHEN_STOPPED, "DisableApiTermination", "DisableApiStop", "SourceDestCheck", "InstanceInitiatedShutdownBehavior")


class InstanceCalls(OptionCalls):
    """RunInstances and what follows."""

    def run_instances(self) -> ActionResult:
        """Launch; the same request under the same token gets the same answer and launches nothing."""
        made = self.ec2_backend.tokens.made_for("RunInstances", self.params)
        if made:
            return self._launched_before(made)
        template = self.params.get("LaunchTemplate")
        if template:
            self._fill_from_template(template)
        self._check_launch()
        placement = dict(self.params.get("Placement") or {})
        zone = self.ec2_backend.zone_name(placement.get("AvailabilityZone"), placement.get("AvailabilityZoneId"))
        if zone:
            self.params["Placement"] = {**placement, "AvailabilityZone": zone}
        asked = self._asked
        # moto launches MinCount; there is room for all that were asked for.
        self.params["MinCount"] = self.params.get("MaxCount", 1)
        self.params.setdefault("ClientToken", "")
        result = super().run_instances()
        self.take_options(result.result.instances)
        self.ec2_backend.tokens.remember("RunInstances", asked, [result.result.id])
        return result

    def describe_instances(self) -> ActionResult:
        """Instances by id and filter, in pages."""
        ids, filters = self.ids("InstanceIds"), self._filters_from_querystring()
        if ids and "MaxResults" in self.params:
            raise Ec2Error(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            )
        if ids:
            self.ec2_backend.get_multi_instances_by_id(ids)
        reservations = []
        for reservation in self.ec2_backend.reservations.values():
            chosen = [i for i in reservation.instances if (not ids or i.id in ids) and (not filters or passes(i, filters))]
            if chosen:
                reservations.append(_part(reservation, chosen))
        return ActionResult({"Reservations": reservations})

    def stop_instances(self) -> ActionResult:
        """Stop; Force cuts the power."""
        force = self._get_bool_param("Force", False)
        changed = self.ec2_backend.stop_instances(self.ids("InstanceIds"), force)
        return ActionResult({"StoppingInstances": _state_changes(changed)})

    def start_instances(self) -> ActionResult:
        """Start."""
        return ActionResult({"StartingInstances": _state_changes(self.ec2_backend.start_instances(self.ids("InstanceIds")))})

    def terminate_instances(self) -> ActionResult:
        """Terminate; load balancers and scaling groups of moto hear of it."""
        ids = self.ids("InstanceIds")
        if not ids:
            raise Ec2Error("MissingParameter", "The request must contain the parameter InstanceId")
        before = {i.id: i.instance_state for i in self.ec2_backend.get_multi_instances_by_id(ids)}
        changed = self.ec2_backend.terminate_instances(ids)
        if any(before[instance.id].name != "terminated" for instance, _ in changed):
            self._tell_others(ids)
        return ActionResult({"TerminatingInstances": _state_changes(changed)})

    def modify_instance_attribute(self) -> ActionResult:
        """Change what can be changed; type and user data only while the instance is stopped."""
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        groups = self._get_param("Groups", [])
        if groups:
            instance.security_groups = [self.ec2_backend.existing_group(group_id) for group_id in groups]
            self.cloud.ports.touch(instance)
            return EmptyResult()
        for mapping in self._get_param("BlockDeviceMappings", []):
            self._modify_device(instance, mapping)
        for name, value in self._attributes_to_change().items():
            self._modify(instance, name, value)
        return EmptyResult()

    def modify_instance_metadata_options(self) -> ActionResult:
        """Change the options that are named; the others stay."""
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        options = instance.metadata_options
        for name in ("HttpTokens", "HttpEndpoint", "HttpProtocolIpv6", "InstanceMetadataTags", "HttpPutResponseHopLimit"):
            value = self._get_param(name)
            if value is not None:
                setattr(options, camelcase_to_underscores(name), value)
        return ActionResult({"InstanceId": instance.id, "InstanceMetadataOptions": options})

    def get_console_output(self) -> ActionResult:
        """The end of what the machine wrote to its console."""
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        console = self.cloud.hosting.console(instance.id)
        text = console.read_bytes()[-CONSOLE_TAIL:].decode("utf-8", "replace") if console.exists() else ""
        output = Base64EncodedString.from_raw_string(text)
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})

    def parse_parameters(self, request: Any) -> None:
        """Parse, and keep the request as it came, for the comparison of tokens."""
        super().parse_parameters(request)
        self._asked = dict(self.params)

    def _launched_before(self, made: List[str]) -> ActionResult:
        reservation = self.ec2_backend.reservations[made[0]]
        if all(instance.state == "terminated" for instance in reservation.instances):
            raise Ec2Error(
                "IdempotentInstanceTerminated",
                f"The instance '{reservation.instances[0].id}' of this client token is terminated. Use another token.",
            )
        return ActionResult(reservation)

    def _check_launch(self) -> None:
        for name in ("MinCount", "MaxCount"):
            if int(self.params.get(name) or 0) < 1:
                raise Ec2Error("InvalidParameterValue", f"Value ({self.params.get(name)}) for parameter {name} is invalid.")
        if self.params["MinCount"] > self.params["MaxCount"]:
            raise Ec2Error("InvalidParameterCombination", "MinCount is greater than MaxCount")
        data = parse_user_data(self.params.get("UserData"))
        if data is not None and len(str(data)) * 3 // 4 > USER_DATA_LIMIT:
            raise Ec2Error("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")
        self.tags_for("instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu")

    def _fill_from_template(self, template: Dict[str, Any]) -> None:
        """What the request leaves open comes from the launch template."""
        data = self.ec2_backend._get_template_from_args(template).data
        for name, value in data.items():
            self.params.setdefault({"SecurityGroupIds": "SecurityGroupIds"}.get(name, name), value)

    def _parse_block_device_mapping(self) -> List[Dict[str, Any]]:
        """As the request has it; the launch merges it with the image's."""
        return list(self._get_param("BlockDeviceMappings", []))

    def _attributes_to_change(self) -> Dict[str, Any]:
        named = self._get_param("Attribute")
        if named:
            return {named[0].upper() + named[1:]: self._get_param("Value")}
        return {name: value["Value"] if isinstance(value, dict) else value for name, value in self.params.items() if name in CHANGEABLE}

    def _modify(self, instance: Any, name: str, value: Any) -> None:
        if name not in CHANGEABLE:
            raise Ec2Error("InvalidParameterValue", f"Value ({name}) for parameter attribute is invalid.")
        if name in WHEN_STOPPED and instance.state != "stopped":
            raise Ec2Error("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
        if name == "InstanceType":
            self.ec2_backend._check_type(value, self.ec2_backend.amis.get(instance.image_id) or instance)
        if name == "UserData":
            # Here, unlike in RunInstances, moto has decoded it already.
            value = parse_user_data(base64.b64encode(value) if isinstance(value, bytes) else value)
        if isinstance(value, str) and value.lower() in ("true", "false") and name != "UserData":
            value = value.lower() == "true"
        setattr(instance, camelcase_to_underscores(name), value)
        if name == "SourceDestCheck" and 0 in instance.nics:
            instance.nics[0].source_dest_check = value

    @staticmethod
    def _modify_device(instance: Any, mapping: Dict[str, Any]) -> None:
        block = instance.block_device_mapping.get(mapping.get("DeviceName"))
        if block is None:
            raise Ec2Error(
                "InvalidInstanceAttributeValue",
                f"No device is currently mapped at {mapping.get('DeviceName')}",
            )
        value: Optional[bool] = (mapping.get("Ebs") or {}).get("DeleteOnTermination")
        if value is not None:
            block.delete_on_termination = value

    def _tell_others(self, ids: List[str]) -> None:
        from moto.autoscaling import autoscaling_backends
        from moto.elbv2 import elbv2_backends

        autoscaling_backends[self.current_account][self.region].notify_terminate_instances(ids)
        elbv2_backends[self.current_account][self.region].notify_terminate_instances(ids)


def _state_changes(changed: List[Any]) -> List[Dict[str, Any]]:
    return [
        {
            "InstanceId": instance.id,
            "CurrentState": {"Code": CODES[instance.state], "Name": instance.state},
            "PreviousState": previous,
        }
        for instance, previous in changed
    ]


def _part(reservation: Any, instances: List[Any]) -> Dict[str, Any]:
    return {
        "ReservationId": reservation.id,
        "OwnerId": reservation.owner_id,
        "Groups": [],
        "Instances": instances,
    }

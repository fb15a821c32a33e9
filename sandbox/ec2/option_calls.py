# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls about options of instances that moto does not know: monitoring, placement, CPU credits."""

from __future__ import annotations

from typing import Any, Dict, List

from moto.core.responses import ActionResult

from sandbox.ec2.base_calls import Calls
from sandbox.errors import Ec2Error


class OptionCalls(Calls):
    """What is told at launch, and what changes it later."""

    def take_options(self, instances: List[Any]) -> None:
        """Give new instances what their launch asked for and moto passes over."""
        place = self.params.get("Placement") or {}
        credit = (self.params.get("CreditSpecification") or {}).get("CpuCredits")
        for instance in instances:
            instance.disable_api_termination = bool(self._get_param("DisableApiTermination", False))
            instance.cpu_credits = credit or default_credits(instance.instance_type)
            self._place(instance, place)

    def monitor_instances(self) -> ActionResult:
        """Detailed monitoring, from a moment later on."""
        return self._monitor("enabled", "pending")

    def unmonitor_instances(self) -> ActionResult:
        """No detailed monitoring any more."""
        return self._monitor("disabled", "disabling")

    def modify_instance_placement(self) -> ActionResult:
        """Another placement group or partition, for a stopped instance."""
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        if instance.state != "stopped":
            raise Ec2Error("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
        self._place(instance, self.params)
        return ActionResult({"Return": True})

    def describe_instance_credit_specifications(self) -> ActionResult:
        """How burstable instances go on when their credits are used up."""
        wanted = self.ids("InstanceIds")
        for one in self.params.get("Filters", []):
            if one["Name"] == "instance-id":
                wanted = [*wanted, *one["Values"]]
        every = self.ec2_backend.instances_by_id()
        found = [every[one] for one in wanted if one in every] if wanted else list(every.values())
        return ActionResult(
            {"InstanceCreditSpecifications": [{"InstanceId": one.id, "CpuCredits": one.cpu_credits} for one in found if one.cpu_credits]}
        )

    def modify_instance_credit_specification(self) -> ActionResult:
        """Change that; what is not burstable is refused, each by itself."""
        done: List[Dict[str, Any]] = []
        failed: List[Dict[str, Any]] = []
        for one in self._get_param("InstanceCreditSpecifications", []):
            instance = self.ec2_backend.get_instance(one["InstanceId"])
            if instance.cpu_credits:
                instance.cpu_credits = one["CpuCredits"]
                done.append({"InstanceId": instance.id})
            else:
                error = {"Code": "InstanceCreditSpecification.NotSupported", "Message": "The instance is not burstable."}
                failed.append({"InstanceId": instance.id, "Error": error})
        return ActionResult({"SuccessfulInstanceCreditSpecifications": done, "UnsuccessfulInstanceCreditSpecifications": failed})

    def _monitor(self, state: str, answered: str) -> ActionResult:
        instances = [self.ec2_backend.get_instance(one) for one in self.ids("InstanceIds")]
        for instance in instances:
            instance.monitoring_state = state
        return ActionResult({"InstanceMonitorings": [{"InstanceId": one.id, "Monitoring": {"State": answered}} for one in instances]})

    @staticmethod
    def _place(instance: Any, place: Dict[str, Any]) -> None:
        for word, name in (("Tenancy", "tenancy"), ("GroupName", "group_name"), ("PartitionNumber", "partition_number")):
            if place.get(word) is not None:
                setattr(instance._placement, name, place[word])


def default_credits(instance_type: str) -> str:
    """What a type begins with: t2 standard, later ones unlimited; "" for types that are not burstable."""
    family = instance_type.split(".", 1)[0]
    return "" if not family.startswith("t") else "standard" if family in ("t1", "t2") else "unlimited"

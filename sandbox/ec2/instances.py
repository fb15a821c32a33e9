# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances: their states, and the machines behind them."""

from __future__ import annotations

import base64
import copy
from functools import partial
from typing import Any, Dict, List, Optional

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation, StateReason

from sandbox.ec2.shared import Shared, missing, not_found
from sandbox.errors import Ec2Error
from sandbox.hosting import Boot, Disk
from sandbox.trouble import SandboxError

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
#: Seconds that a guest has to shut down before its power is cut.
SHUTDOWN_TIMEOUT = 60.0
#: Seconds between two looks whether a machine answers on its ssh port.
PROBE_PAUSE = 1.0


class Machine(Instance):
    """An instance with states that take time and a machine that may be behind it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.nics: Dict[int, Any] = {}
        self._launch_groups: List[Any] = []
        super().__init__(*args, **kwargs)
        self._state = InstanceState("pending", 0)
        self.state_reason: Optional[StateReason] = None
        self._placement.availability_zone_id = self.availability_zone_id
        #: Whether ssh has answered since the last start.
        self.reachable = False
        #: The volume that the machine boots from.
        self.root_volume_id = ""

    @property
    def instance_id(self) -> str:
        return str(self.id)

    @property
    def security_groups(self) -> List[Any]:
        """The groups of the primary interface: an instance has none of its own."""
        primary = self.nics.get(0)
        return list(primary._group_set) if primary else self._launch_groups

    @security_groups.setter
    def security_groups(self, groups: List[Any]) -> None:
        self._launch_groups = list(groups)
        if 0 in self.nics:
            self.nics[0]._group_set = list(groups)

    @property
    def private_ip(self) -> Optional[str]:
        return self.nics[0].private_ip_address if 0 in self.nics else None

    private_ip_address = private_ip

    @property
    def private_dns_name(self) -> str:
        return super().private_dns_name if 0 in self.nics else ""

    @property
    def public_ip(self) -> Optional[str]:
        return self.nics[0].public_ip if 0 in self.nics else None

    public_ip_address = public_ip

    @property
    def availability_zone_id(self) -> Optional[str]:
        zone = self.ec2_backend.get_zone_by_name(self.availability_zone)
        return zone.zone_id if zone else None

    @property
    def instance_status(self) -> Dict[str, Any]:
        if self.state != "running":
            return {"Status": "not-applicable"}
        passed = "passed" if self.reachable else "initializing"
        return {"Status": "ok" if self.reachable else "initializing", "Details": [{"Name": "reachability", "Status": passed}]}

    system_status = instance_status

    def become(self, state: str, code: str = "", message: str = "") -> InstanceState:
        """Enter `state`; the previous one is returned. `code` and `message` are the reason shown."""
        before = copy.copy(self._state)
        self._state = InstanceState(state, CODES[state])
        self.state_reason = StateReason(f"{code}: {message}", code) if code else None
        self._reason = f"{message} ({utcnow():%Y-%m-%d %H:%M:%S} GMT)" if message else ""
        return before


class InstanceModel(Shared, InstanceBackend):
    """The instances of a region: what start, stop, reboot and terminate do."""

    reservations: Dict[str, Any]

    def get_instance(self, instance_id: str) -> Any:
        """The instance of this id."""
        instance = self.instances_by_id().get(instance_id)
        if instance is None:
            raise not_found("InvalidInstanceID.NotFound", "instance ID", [instance_id])
        return instance

    def instances_by_id(self) -> Dict[str, Any]:
        """All instances of the region, those that were terminated too."""
        return {i.id: i for reservation in self.reservations.values() for i in reservation.instances}

    def get_multi_instances_by_id(self, instance_ids: List[str], filters: Any = None) -> List[Any]:
        """The instances of these ids; all must exist."""
        known = self.instances_by_id()
        absent = missing(instance_ids, known)
        if absent:
            raise not_found("InvalidInstanceID.NotFound", "instance ID", absent)
        return [known[i] for i in instance_ids if known[i].applies(filters)]

    def add_instances(self, reservation: Reservation) -> None:
        """Boot the instances of a new reservation, whose volumes are there."""
        self.reservations[reservation.id] = reservation
        for instance in reservation.instances:
            self._boot(instance, new=True)

    def start_instances(self, instance_ids: List[str]) -> Any:
        """Start stopped instances, each with a new public address."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.state not in ("stopped", "running", "pending"):
                raise self._wrong_state(instance, "started")
            if instance.root_device_name not in instance.block_device_mapping:
                raise Ec2Error("IncorrectInstanceState", f"Instance '{instance.id}' does not have a volume attached at root")
        return [(instance, self._start(instance)) for instance in instances]

    def stop_instances(self, instance_ids: List[str], force: bool = False) -> Any:
        """Shut instances down; those that are down stay so."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if str(instance.disable_api_stop).lower() == "true":
                raise self._protected(instance, "disableApiStop", "stopped")
            if instance.state not in ("running", "stopped", "stopping"):
                raise self._wrong_state(instance, "stopped")
        return [(instance, self._stop(instance, force)) for instance in instances]

    def reboot_instances(self, instance_ids: List[str]) -> List[Any]:
        """Restart the system inside; the state stays running."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.state != "running":
                raise self._wrong_state(instance, "rebooted")
        for instance in instances:
            instance.reachable = False
            self.cloud.later(instance.id, partial(self._reboot, instance.id), partial(self._rebooted, instance), 0.0)
        return instances

    def terminate_instances(self, instance_ids: List[str]) -> Any:
        """End instances for good, with the volumes that go with them. All or none."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if str(instance.disable_api_termination).lower() == "true":
                raise self._protected(instance, "disableApiTermination", "terminated")
        return [(instance, self._terminate(instance)) for instance in instances]

    def died(self, instance_id: str, reason: str) -> None:
        """A machine went off by itself: shut down from inside, or broken."""
        with self.cloud.lock:
            self.cloud.guests.pop(instance_id, None)
            instance = self.get_instance(instance_id)
            if instance.state not in ("running", "pending"):
                return
            if not reason and instance.instance_initiated_shutdown_behavior == "terminate":
                self._terminate(instance)
                return
            code = "Server.InternalError" if reason else "Client.InstanceInitiatedShutdown"
            self._rest(instance, code, reason or "Instance initiated shutdown")

    def touch_group(self, group_id: str) -> None:
        """A group has changed: look at the ports of its members."""
        for instance in self.instances_by_id().values():
            if any(group_id in (group.id, group.name) for group in instance.security_groups):
                self.cloud.ports.touch(instance)

    def _start(self, instance: Machine) -> InstanceState:
        if instance.state in ("running", "pending"):
            return copy.copy(instance.instance_state)
        before = instance.become("pending")
        for nic in instance.nics.values():
            nic.check_auto_public_ip()
        instance.launch_time = utcnow()
        self._boot(instance)
        return before

    def _stop(self, instance: Machine, force: bool = False) -> InstanceState:
        if instance.state != "running":
            return copy.copy(instance.instance_state)
        before = instance.become("stopping", "Client.UserInitiatedShutdown", "User initiated shutdown")
        reason = ("Client.UserInitiatedShutdown", "User initiated shutdown")
        timeout = 0.0 if force else SHUTDOWN_TIMEOUT
        self.cloud.later(instance.id, lambda: self._power_off(instance.id, timeout), lambda error: self._rest(instance, *reason))
        return before

    def _rest(self, instance: Machine, code: str, message: str) -> None:
        """The machine is off: stopped, without an automatic public address."""
        self._unplug(instance)
        instance.become("stopped", code, message)
        for nic in instance.nics.values():
            nic.drop_automatic()

    def _terminate(self, instance: Machine) -> InstanceState:
        if instance.state in ("terminated", "shutting-down"):
            return copy.copy(instance.instance_state)
        before = instance.become("shutting-down", "Client.UserInitiatedShutdown", "User initiated shutdown")
        self.cloud.later(instance.id, lambda: self._power_off(instance.id, 0.0), lambda error: self._bury(instance))
        return before

    def _bury(self, instance: Machine) -> None:
        """Release what a terminated instance had; it stays in the list."""
        self._unplug(instance)
        for volume_id in [block.volume_id for block in instance.block_device_mapping.values()]:
            volume = self.volumes.get(volume_id)
            attachment = volume.attached_to(instance.id) if volume else None
            if volume is None or attachment is None:
                continue
            self.take_apart(attachment)
            if attachment.delete_on_termination and not volume.attachments:
                self.delete_volume(volume_id)
        self.iam_instance_profile_associations.pop(instance.id, None)
        for index, nic in list(instance.nics.items()):
            self._release_interface(instance, index, nic)
        instance.become("terminated", "Client.UserInitiatedShutdown", "User initiated shutdown")
        self.cloud.later(instance.id, lambda: self.cloud.hosting.discard(instance.id), lambda error: None)

    def _unplug(self, instance: Machine) -> None:
        """The machine is off, and its forwarded ports with it."""
        self.cloud.guests.pop(instance.id, None)
        instance.reachable = False
        self.cloud.ports.forget(instance.id)

    def _release_interface(self, instance: Machine, index: int, nic: Any) -> None:
        for elastic in [address for address in self.addresses if address.eni is nic]:
            elastic.eni = elastic.instance = elastic.association_id = nic.public_ip = None
        nic.drop_automatic()
        instance._launch_groups = []
        instance.nics.pop(index)
        nic.instance = nic.attachment_id = None
        nic.status = "available"
        if nic.delete_on_termination:
            self.enis.pop(nic.id, None)
            nic.subnet.del_subnet_ip(nic.private_ip_address)
            self.tags.pop(nic.id, None)

    def _boot(self, instance: Machine, new: bool = False) -> None:
        """Start the machine; if that fails a new instance is terminated, an old one stopped."""
        boot = self._boot_of(instance)

        def work() -> None:
            if new and self.cloud.faults.counts_down("fail_launches"):
                raise SandboxError("the launch fails, as the faults ask for")
            if new:
                self._make_disks(instance)
            self.cloud.guests[instance.id] = self.cloud.hosting.boot(boot, partial(self.died, instance.id))
            with self.cloud.lock:
                self.cloud.ports.touch(instance)
            self.cloud.ports.sync()

        def done(error: Optional[Exception]) -> None:
            self._settle_disks(instance, error)
            if error and new:
                self._terminate(instance)
                instance.state_reason = StateReason(f"Server.InternalError: {error}", "Server.InternalError")
            elif error:
                self._rest(instance, "Server.InternalError", str(error))
            elif instance.state == "pending":
                instance.become("running")
                self._probe(instance)

        self.cloud.later(instance.id, work, done)

    def _probe(self, instance: Machine) -> None:
        """Ask every second whether the machine answers, until it does or is off; not in its lane, which stays free."""
        guest = self.cloud.guest(instance.id)
        if guest is None or instance.state != "running" or instance.reachable:
            return
        found: List[bool] = []

        def done(error: Optional[Exception]) -> None:
            if self.cloud.guest(instance.id) is not guest:
                return
            if any(found):
                instance.reachable = True
            else:
                self._probe(instance)

        pause = min(PROBE_PAUSE, self.cloud.settings.pace)
        self.cloud.later(f"probe {instance.id}", lambda: found.append(guest.answers()), done, pause)

    def _boot_of(self, instance: Machine) -> Boot:
        root = instance.block_device_mapping[instance.root_device_name]
        instance.root_volume_id = root.volume_id
        disks = [
            Disk(block.volume_id, device) for device, block in instance.block_device_mapping.items() if block.volume_id != root.volume_id
        ]
        key = self.key_pairs.get(instance.key_name)
        return Boot(
            instance_id=instance.id,
            hostname=instance.private_dns_name.split(".")[0],
            instance_type=instance.instance_type,
            private_ip=str(instance.private_ip),
            root_volume_id=root.volume_id,
            public_keys=(key.public_key.strip(),) if key else (),
            user_data=base64.b64decode(str(instance.user_data or "")),
            disks=tuple(disks),
        )

    def _make_disks(self, instance: Machine) -> None:
        for block in list(instance.block_device_mapping.values()):
            volume = self.volumes[block.volume_id]
            root = volume.id == instance.root_volume_id
            create = self.cloud.hosting.create_root if root else self.cloud.hosting.create_volume
            own = volume.snapshot_id if volume.snapshot_id in self.snapshots else None
            create(volume.id, volume.size, own)

    def _settle_disks(self, instance: Machine, error: Optional[Exception]) -> None:
        for block in instance.block_device_mapping.values():
            volume = self.volumes[block.volume_id]
            volume.phase = "settled"
            attachment = volume.attached_to(instance.id)
            if attachment and attachment.status == "attaching":
                attachment.become("attached")

    def _power_off(self, instance_id: str, timeout: float) -> None:
        guest = self.cloud.guests.get(instance_id)
        if guest and timeout:
            guest.shutdown(timeout)
        elif guest:
            guest.kill()

    def _reboot(self, instance_id: str) -> None:
        guest = self.cloud.guest(instance_id)
        if guest:
            guest.reboot()

    def _rebooted(self, instance: Machine, error: Optional[Exception]) -> None:
        self._probe(instance)

    @staticmethod
    def _wrong_state(instance: Machine, verb: str) -> Ec2Error:
        return Ec2Error(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {verb}: it is {instance.state}.",
        )

    @staticmethod
    def _protected(instance: Machine, attribute: str, verb: str) -> Ec2Error:
        return Ec2Error(
            "OperationNotPermitted",
            f"The instance '{instance.id}' may not be {verb}. Modify its '{attribute}' instance attribute and try again.",
        )

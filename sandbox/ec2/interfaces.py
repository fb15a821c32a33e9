# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Network interfaces: they hold the groups and the public address of an instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional

from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend

from sandbox.ec2.shared import Shared
from sandbox.errors import Ec2Error

if TYPE_CHECKING:
    from sandbox.cloud import Cloud


class Interface(NetworkInterface):
    """An interface whose automatic public address comes from the sandbox's range."""

    public_ip: Optional[str]
    _automatic: Optional[str] = None

    @property
    def network_interface_id(self) -> str:
        return str(self.id)

    @property
    def group_set(self) -> List[Any]:
        """The groups of the interface, which are those of its instance."""
        return list(self._group_set)

    @property
    def association(self) -> Dict[str, Any]:
        """The public address as DescribeInstances and DescribeNetworkInterfaces show it."""
        if not self.public_ip:
            return {}
        shown = {"PublicIp": self.public_ip, "PublicDnsName": public_name(self.public_ip, self.ec2_backend.region_name)}
        for elastic in self.ec2_backend.addresses:
            if elastic.eni is self:
                own = {"AllocationId": elastic.allocation_id, "AssociationId": elastic.association_id}
                return {**shown, **own, "IpOwnerId": self.owner_id}
        return {**shown, "IpOwnerId": "amazon"}

    def check_auto_public_ip(self) -> None:
        """Take an automatic public address, if the interface gets one and has none."""
        if str(self.public_ip_auto_assign).lower() == "true" and not self.public_ip:
            self.public_ip = self._automatic = self.ec2_backend.cloud.pool.take()

    def drop_automatic(self) -> None:
        """Give the automatic address back; an Elastic IP stays."""
        if self._automatic:
            if self.public_ip == self._automatic:
                self.public_ip = None
            self.ec2_backend.cloud.pool.give_back(self._automatic)
            self._automatic = None

    def stop(self) -> None:
        """What becomes of the address when the instance stops."""
        self.drop_automatic()


class InterfaceModel(Shared, NetworkInterfaceBackend):
    """Interfaces and Elastic IPs of a region."""

    cloud: "Cloud"

    def create_network_interface(self, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any) -> Interface:
        """A new interface."""
        interface = Interface(self, subnet, private_ip_address, *args, **kwargs)
        self.enis[interface.id] = interface
        return interface

    def modify_network_interface_attribute(
        self,
        eni_id: str,
        group_ids: List[str],
        source_dest_check: Optional[bool] = None,
        description: Optional[str] = None,
    ) -> None:
        """Change an interface; unknown groups are an error."""
        for group_id in group_ids:
            self.existing_group(group_id)
        super().modify_network_interface_attribute(eni_id, group_ids, source_dest_check, description)
        self.cloud.ports.touch(self.get_network_interface(eni_id).instance)

    def allocate_address(
        self, domain: Optional[str], address: Optional[str] = None, tags: Optional[Dict[str, str]] = None
    ) -> ElasticAddress:
        """A new Elastic IP from the sandbox's range."""
        elastic = ElasticAddress(self, "vpc", address or self.cloud.pool.take(), tags)
        self.addresses.append(elastic)
        return elastic

    def associate_address(
        self,
        instance: Any = None,
        eni: Any = None,
        address: Optional[str] = None,
        allocation_id: Optional[str] = None,
        reassociate: bool = False,
    ) -> ElasticAddress:
        """Give an Elastic IP to an interface; where it was before it is no more."""
        found = self.address_by_ip([address]) if address else self.address_by_allocation([str(allocation_id)])
        elastic = found[0]
        interface = eni or self._primary(instance)
        if elastic.eni is interface:
            return elastic
        if elastic.eni and not reassociate:
            raise Ec2Error(
                "Resource.AlreadyAssociated",
                f"resource {elastic.allocation_id} is already associated with associate-id {elastic.association_id}",
            )
        self._take_off(elastic)
        for other in self.addresses:
            if other.eni is interface:
                self._take_off(other, automatic_again=False)
        interface.drop_automatic()
        elastic.eni, elastic.instance = interface, interface.instance
        elastic.association_id = self.new_id("eipassoc")
        interface.public_ip = elastic.public_ip
        self.cloud.ports.touch(interface.instance)
        return elastic

    def disassociate_address(self, address: Optional[str] = None, association_id: Optional[str] = None) -> None:
        """Take an Elastic IP off its interface, which gets an automatic address again if it had one."""
        found = self.address_by_ip([address]) if address else self.address_by_association([str(association_id)])
        self._take_off(found[0])

    def release_address(self, address: Optional[str] = None, allocation_id: Optional[str] = None) -> None:
        """Give an Elastic IP back; refused while it is associated."""
        found = self.address_by_ip([address]) if address else self.address_by_allocation([str(allocation_id)])
        elastic = found[0]
        if elastic.eni:
            raise Ec2Error("InvalidIPAddress.InUse", f"Address {elastic.public_ip} is in use.")
        self.addresses.remove(elastic)
        self.tags.pop(elastic.allocation_id or "", None)
        self.cloud.pool.give_back(elastic.public_ip)

    def _take_off(self, elastic: ElasticAddress, automatic_again: bool = True) -> None:
        interface = elastic.eni
        if interface is None:
            return
        elastic.eni = elastic.instance = elastic.association_id = None
        interface.public_ip = None
        self.cloud.ports.touch(interface.instance)
        if automatic_again and interface.instance and interface.instance.state == "running":
            interface.check_auto_public_ip()

    def _primary(self, instance: Any) -> Interface:
        if instance.state in ("terminated", "shutting-down") or 0 not in instance.nics:
            raise Ec2Error("InvalidInstanceID", f"The instance '{instance.id}' is not in a valid state for this.")
        return instance.nics[0]


def public_name(address: str, region: str) -> str:
    """The DNS name of a public address. It is AWS's form; nothing resolves it here."""
    zone = "compute-1" if region == "us-east-1" else f"{region}.compute"
    return f"ec2-{address.replace('.', '-')}.{zone}.amazonaws.com"

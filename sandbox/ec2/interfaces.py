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


class Address(ElasticAddress):
    """An Elastic IP that stands for one private address of its interface."""

    #: None for the first one.
    private_ip: Optional[str] = None

    @property
    def private_ip_address(self) -> Optional[str]:
        return (self.private_ip or self.eni.private_ip_address) if self.eni else None


class Interface(NetworkInterface):
    """An interface whose automatic public address comes from the sandbox's range."""

    public_ip: Optional[str]
    _automatic: Optional[str] = None
    #: moto fills the list of private addresses while it makes the interface; after that it is only shown.
    _complete = False

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
        return self._association_of(self.private_ip_address)

    @property
    def private_ip_addresses(self) -> List[Dict[str, Any]]:
        """Its private addresses, each with what is public there."""
        found = []
        for one in self._private_ip_addresses:
            association = self._association_of(one.get("PrivateIpAddress")) if self._complete else {}
            found.append({**one, **({"Association": association} if association else {})})
        return found if self._complete else self._private_ip_addresses

    @private_ip_addresses.setter
    def private_ip_addresses(self, addresses: List[Dict[str, Any]]) -> None:
        self._private_ip_addresses = addresses

    @property
    def instance_private_ip_address_list(self) -> List[Dict[str, Any]]:
        """The same, as DescribeInstances shows it."""
        return [{"PrivateDnsName": self.private_dns_name, **one} for one in self.private_ip_addresses]

    def _association_of(self, private_ip: Optional[str]) -> Dict[str, Any]:
        for elastic in self.ec2_backend.addresses:
            if elastic.eni is self and elastic.private_ip_address == private_ip:
                name = public_name(elastic.public_ip, self.ec2_backend.region_name)
                own = {"AllocationId": elastic.allocation_id, "AssociationId": elastic.association_id, "IpOwnerId": self.owner_id}
                return {"PublicIp": elastic.public_ip, "PublicDnsName": name, **own}
        if not self.public_ip or private_ip != self.private_ip_address:
            return {}
        return {
            "PublicIp": self.public_ip,
            "PublicDnsName": public_name(self.public_ip, self.ec2_backend.region_name),
            "IpOwnerId": "amazon",
        }

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

    def create_network_interface(
        self,
        subnet: Any,
        private_ip_address: Any,
        private_ip_addresses: Optional[List[Dict[str, Any]]] = None,
        group_ids: Optional[List[str]] = None,
        description: Optional[str] = None,
        tags: Optional[Dict[str, str]] = None,
        **kwargs: Any,
    ) -> Interface:
        """A new interface."""
        named = {"private_ip_addresses": private_ip_addresses, "group_ids": group_ids, "description": description, "tags": tags}
        interface = Interface(self, subnet, private_ip_address, **named, **kwargs)
        interface._complete = True
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
        elastic = Address(self, "vpc", address or self.cloud.pool.take(), tags)
        self.addresses.append(elastic)
        return elastic

    def associate_address(
        self,
        instance: Any = None,
        eni: Any = None,
        address: Optional[str] = None,
        allocation_id: Optional[str] = None,
        reassociate: bool = False,
        private_ip: Optional[str] = None,
    ) -> ElasticAddress:
        """Give an Elastic IP to an interface; where it was before it is no more."""
        found = self.address_by_ip([address]) if address else self.address_by_allocation([str(allocation_id)])
        elastic = found[0]
        interface = eni or self._primary(instance)
        if private_ip and private_ip not in [one.get("PrivateIpAddress") for one in interface.private_ip_addresses]:
            raise Ec2Error("InvalidParameterValue", f"The private IP address {private_ip} is not assigned to the interface {interface.id}.")
        wanted = private_ip or interface.private_ip_address
        if elastic.eni is interface and elastic.private_ip_address == wanted:
            return elastic
        if elastic.eni and not reassociate:
            raise Ec2Error(
                "Resource.AlreadyAssociated",
                f"resource {elastic.allocation_id} is already associated with associate-id {elastic.association_id}",
            )
        self._take_off(elastic)
        for other in self.addresses:
            if other.eni is interface and other.private_ip_address == wanted:
                self._take_off(other, automatic_again=False)
        elastic.eni, elastic.instance, elastic.private_ip = interface, interface.instance, wanted
        elastic.association_id = self.new_id("eipassoc")
        if wanted == interface.private_ip_address:
            interface.drop_automatic()
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
        if interface.public_ip == elastic.public_ip:
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

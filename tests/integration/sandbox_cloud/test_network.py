# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Addresses, groups and keys of the sandbox: one truth in every view."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.integration.sandbox_cloud.aws import instance, launch, refused, running, wait_state
from tests.support.sandbox import Sandbox

ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]


def rule(port: int, **source: Any) -> dict[str, Any]:
    """A permission for one TCP port."""
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **(source or {"IpRanges": ANYWHERE})}


def views(ec2: Any, instance_id: str) -> set[Any]:
    """The public address of an instance as every call shows it."""
    shown = instance(ec2, instance_id)
    nic = shown["NetworkInterfaces"][0]
    alone = ec2.describe_network_interfaces(NetworkInterfaceIds=[nic["NetworkInterfaceId"]])["NetworkInterfaces"][0]
    return {
        shown.get("PublicIpAddress"),
        nic.get("Association", {}).get("PublicIp"),
        nic["PrivateIpAddresses"][0].get("Association", {}).get("PublicIp"),
        alone.get("Association", {}).get("PublicIp"),
    }


def test_a_public_address_is_a_loopback_address_of_this_sandbox(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """So that instances can be reached without privileges or bridges."""
    address = launch(ec2, image_id)["PublicIpAddress"]
    assert ip_address(address) in ip_network(sandbox.status()["addresses"])


def test_the_public_address_changes_with_stop_and_start(ec2: Any, image_id: str) -> None:
    """None while stopped, another one afterwards; the private one stays."""
    instance_id = running(ec2, image_id)
    before = instance(ec2, instance_id)
    ec2.stop_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "stopped")
    assert views(ec2, instance_id) == {None}
    ec2.start_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "running")
    after = instance(ec2, instance_id)
    assert after["PublicIpAddress"] not in ("", before["PublicIpAddress"])
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]


def test_an_elastic_ip_replaces_the_address_in_every_view_and_survives_a_stop(ec2: Any, image_id: str) -> None:
    """And the instance gets an automatic address again when the Elastic IP leaves."""
    instance_id = running(ec2, image_id)
    automatic = instance(ec2, instance_id)["PublicIpAddress"]
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "web"}]}]
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=tags)
    association = ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=instance_id)["AssociationId"]
    assert views(ec2, instance_id) == {made["PublicIp"]}
    (nic,) = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert nic["Association"]["AllocationId"] == made["AllocationId"]
    assert nic["Association"]["PublicDnsName"] == instance(ec2, instance_id)["PublicDnsName"]
    shown = ec2.describe_addresses(Filters=[{"Name": "tag:Name", "Values": ["web"]}])["Addresses"][0]
    assert (shown["InstanceId"], shown["AssociationId"]) == (instance_id, association)
    assert shown["PrivateIpAddress"] == instance(ec2, instance_id)["PrivateIpAddress"]
    ec2.stop_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "stopped")
    assert views(ec2, instance_id) == {made["PublicIp"]}
    ec2.start_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "running")
    assert views(ec2, instance_id) == {made["PublicIp"]}
    assert refused(ec2.release_address, AllocationId=made["AllocationId"])[0] == "InvalidIPAddress.InUse"
    ec2.disassociate_address(AssociationId=association)
    assert views(ec2, instance_id) & {made["PublicIp"], automatic, None} == set()
    ec2.release_address(AllocationId=made["AllocationId"])
    assert ec2.describe_addresses()["Addresses"] == []


def test_an_elastic_ip_moves_only_when_allowed(ec2: Any, image_id: str) -> None:
    """The instance that it leaves gets an address of its own again."""
    first, second = running(ec2, image_id), running(ec2, image_id)
    made = ec2.allocate_address()
    ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=first)
    move = {"AllocationId": made["AllocationId"], "InstanceId": second, "AllowReassociation": False}
    assert refused(ec2.associate_address, **move)[0] == "Resource.AlreadyAssociated"
    ec2.associate_address(**{**move, "AllowReassociation": True})
    assert views(ec2, second) == {made["PublicIp"]}
    assert views(ec2, first) & {made["PublicIp"], None} == set()


def test_the_elastic_ip_of_a_terminated_instance_is_free(ec2: Any, image_id: str) -> None:
    """It stays allocated."""
    instance_id = running(ec2, image_id)
    made = ec2.allocate_address()
    ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=instance_id)
    ec2.terminate_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "terminated")
    shown = ec2.describe_addresses(AllocationIds=[made["AllocationId"]])["Addresses"][0]
    assert "InstanceId" not in shown or not shown["InstanceId"]
    assert "AssociationId" not in shown
    assert "PublicIpAddress" not in instance(ec2, instance_id)


def test_unknown_addresses_are_errors(ec2: Any, image_id: str) -> None:
    """InvalidAllocationID.NotFound."""
    unknown = "eipalloc-00000000000000000"
    assert refused(ec2.release_address, AllocationId=unknown)[0] == "InvalidAllocationID.NotFound"
    assert refused(ec2.describe_addresses, AllocationIds=[unknown])[0] == "InvalidAllocationID.NotFound"
    instance_id = running(ec2, image_id)
    pair = {"AllocationId": unknown, "InstanceId": instance_id}
    assert refused(ec2.associate_address, **pair)[0] == "InvalidAllocationID.NotFound"


def test_a_group_keeps_its_rules_with_their_descriptions_and_tags(ec2: Any) -> None:
    """What was declared is read back; every rule of one call is in its answer."""
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "Name", "Value": "web"}]}]
    group_id = ec2.create_security_group(GroupName="web", Description="d", TagSpecifications=tags)["GroupId"]
    rules = [
        rule(22, IpRanges=[{"CidrIp": "127.0.0.1/32", "Description": "me"}]),
        rule(80),
        rule(443, UserIdGroupPairs=[{"GroupId": group_id}]),
    ]
    answer = ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=rules)
    assert sorted(entry["FromPort"] for entry in answer["SecurityGroupRules"]) == [22, 80, 443]
    shown = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    ranges = {p["FromPort"]: p["IpRanges"] for p in shown["IpPermissions"]}
    assert ranges[22] == [{"CidrIp": "127.0.0.1/32", "Description": "me"}]
    assert shown["IpPermissionsEgress"][0]["IpProtocol"] == "-1"
    assert shown["Tags"] == tags[0]["Tags"]


def test_a_group_change_happens_whole_or_not_at_all(ec2: Any) -> None:
    """One duplicate in the list, and none of its rules is there."""
    group_id = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[rule(22)])
    both = {"GroupId": group_id, "IpPermissions": [rule(80), rule(22)]}
    assert refused(ec2.authorize_security_group_ingress, **both)[0] == "InvalidPermission.Duplicate"
    shown = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    assert [entry["FromPort"] for entry in shown["IpPermissions"]] == [22]


@pytest.mark.parametrize("cidr", ["300.0.0.0/8", "10.0.0.0/99", "somewhere"])
def test_a_wrong_cidr_is_refused(ec2: Any, cidr: str) -> None:
    """InvalidParameterValue, and no rule."""
    group_id = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    permissions = [rule(22, IpRanges=[{"CidrIp": cidr}])]
    code, _ = refused(ec2.authorize_security_group_ingress, GroupId=group_id, IpPermissions=permissions)
    assert code == "InvalidParameterValue"


def test_groups_are_unique_by_name_and_stay_while_others_name_them(ec2: Any) -> None:
    """InvalidGroup.Duplicate, DependencyViolation, CannotDelete."""
    group_id = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    assert refused(ec2.create_security_group, GroupName="web", Description="d")[0] == "InvalidGroup.Duplicate"
    other = ec2.create_security_group(GroupName="db", Description="d")["GroupId"]
    pair = [rule(3306, UserIdGroupPairs=[{"GroupId": group_id}])]
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=pair)
    assert refused(ec2.delete_security_group, GroupId=group_id)[0] == "DependencyViolation"
    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=group_id)
    default = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
    assert refused(ec2.delete_security_group, GroupId=default)[0] == "CannotDelete"
    assert refused(ec2.describe_security_groups, GroupIds=[group_id])[0] == "InvalidGroup.NotFound"


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_key_pairs_are_made_tagged_listed_and_deleted(ec2: Any, kind: str) -> None:
    """By name and by id; the private key is answered once."""
    tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}]
    made = ec2.create_key_pair(KeyName="k", KeyType=kind, TagSpecifications=tags)
    assert "PRIVATE KEY" in made["KeyMaterial"]
    shown = ec2.describe_key_pairs(KeyPairIds=[made["KeyPairId"]], IncludePublicKey=True)["KeyPairs"][0]
    assert (shown["KeyType"], shown["Tags"], shown["KeyFingerprint"]) == (kind, tags[0]["Tags"], made["KeyFingerprint"])
    assert shown["PublicKey"].startswith("ssh-")
    assert refused(ec2.create_key_pair, KeyName="k")[0] == "InvalidKeyPair.Duplicate"
    assert refused(ec2.describe_key_pairs, KeyNames=["x"])[0] == "InvalidKeyPair.NotFound"
    ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    assert ec2.describe_key_pairs()["KeyPairs"] == []

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of EC2's some 800 operations this collection calls. Pure.

botocore makes a Python method of each operation for each client, in each task again: twelve times as many as are ever called. A test
compares the list with the operations that the code names.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

CALLED = frozenset(
    (
        "AllocateAddress",
        "AssociateAddress",
        "AssociateIamInstanceProfile",
        "AttachVolume",
        "AuthorizeSecurityGroupEgress",
        "AuthorizeSecurityGroupIngress",
        "CancelSpotInstanceRequests",
        "CopyImage",
        "CopySnapshot",
        "CreateImage",
        "CreateSecurityGroup",
        "CreateSnapshot",
        "CreateSnapshots",
        "CreateTags",
        "CreateVolume",
        "DeleteKeyPair",
        "DeleteSecurityGroup",
        "DeleteSnapshot",
        "DeleteTags",
        "DeleteVolume",
        "DeregisterImage",
        "DescribeAddresses",
        "DescribeAvailabilityZones",
        "DescribeIamInstanceProfileAssociations",
        "DescribeImageAttribute",
        "DescribeImages",
        "DescribeInstanceAttribute",
        "DescribeInstanceCreditSpecifications",
        "DescribeInstanceStatus",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeKeyPairs",
        "DescribeLaunchTemplateVersions",
        "DescribeManagedPrefixLists",
        "DescribeNetworkInterfaces",
        "DescribeRegions",
        "DescribeSecurityGroupRules",
        "DescribeSecurityGroups",
        "DescribeSnapshotAttribute",
        "DescribeSnapshots",
        "DescribeSubnets",
        "DescribeVolumes",
        "DescribeVolumesModifications",
        "DetachVolume",
        "DisassociateAddress",
        "DisassociateIamInstanceProfile",
        "ImportKeyPair",
        "ModifyImageAttribute",
        "ModifyInstanceAttribute",
        "ModifyInstanceCreditSpecification",
        "ModifyInstanceMetadataOptions",
        "ModifyInstancePlacement",
        "ModifyNetworkInterfaceAttribute",
        "ModifySecurityGroupRules",
        "ModifySnapshotAttribute",
        "ModifyVolume",
        "MonitorInstances",
        "RebootInstances",
        "ReleaseAddress",
        "ReplaceIamInstanceProfileAssociation",
        "RevokeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RunInstances",
        "StartInstances",
        "StopInstances",
        "TerminateInstances",
        "UnmonitorInstances",
        "UpdateSecurityGroupRuleDescriptionsEgress",
        "UpdateSecurityGroupRuleDescriptionsIngress",
    )
)


def only_called(model: Mapping[str, Any]) -> Dict[str, Any]:
    """botocore's description of EC2 with these operations alone; what they are made of is all there."""
    return {**model, "operations": {name: one for name, one in model["operations"].items() if name in CALLED}}

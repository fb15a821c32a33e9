#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a region offers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_type_info
short_description: Look up instance types, and the zones that offer them
version_added: 0.1.0
description:
  - Returns instance types with what matters for a choice (processors, memory, architecture, network, disks), and the zones that offer
    them.
options:
  names:
    description: Only the types with these names, where V(*) stands for any characters. There are hundreds in all.
    type: list
    elements: str
    aliases: [name]
  zone:
    description: Only the types that this zone offers, by name or id.
    type: str
    aliases: [availability_zone]
  filters:
    description: Filters of C(DescribeInstanceTypes). V(_) may be written for V(-) in their names.
    type: dict
extends_documentation_fragment:
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.availability_zone_info
  - module: steadfast.ec2.instance
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Small types of the current generation for ARM
  steadfast.ec2.instance_type_info:
    names: ["t4g.*", "m7g.*"]
    filters:
      current_generation: true
  register: found

- name: Is it offered where the volumes are
  steadfast.ec2.instance_type_info:
    names: [t3.micro]
    zone: use1-az1
  register: offered
  failed_when: not offered.instance_types
"""

RETURN = r"""
instance_types:
  description: The types, in order of name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: t3.micro
    architectures:
      description: The architectures of images that it runs.
      type: list
      elements: str
    vcpus:
      description: Its virtual processors.
      type: int
    cores:
      description: Its cores.
      type: int
    memory_mib:
      description: Its memory in MiB.
      type: int
    current_generation:
      description: Whether it is of the current generation.
      type: bool
    free_tier:
      description: Whether the free tier covers it.
      type: bool
    bare_metal:
      description: Whether it is a whole machine.
      type: bool
    burstable:
      description: Whether it saves up CPU credits.
      type: bool
    hypervisor:
      description: The hypervisor, V(nitro) or V(xen).
      type: str
    usage_classes:
      description: V(on-demand), V(spot) and others.
      type: list
      elements: str
    boot_modes:
      description: V(legacy-bios), V(uefi).
      type: list
      elements: str
    network_performance:
      description: What AWS says about its network.
      type: str
    network_interfaces:
      description: How many network interfaces it takes.
      type: int
    addresses_per_interface:
      description: How many IPv4 addresses each of them takes.
      type: int
    ebs_nvme:
      description: Whether volumes are NVMe devices, V(required), V(supported) or V(unsupported).
      type: str
    ebs_optimized:
      description: Whether it has bandwidth of its own for volumes.
      type: str
    ebs_encryption:
      description: Whether its volumes can be encrypted.
      type: str
    instance_storage_gb:
      description: The size of the disks in the machine itself, which are empty after a stop.
      type: int
    gpus:
      description: How many GPUs it has.
      type: int
    zones:
      description: The zones that offer it, each with C(name) and C(id).
      type: list
      elements: dict
api:
  description: What the task cost.
  returned: success
  type: dict
  contains:
    calls:
      description: Requests sent, with those that were sent again.
      type: int
    retries:
      description: How many were sent again.
      type: int
    seconds:
      description: How long it took.
      type: float
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.catalogue import INSTANCE_TYPE_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(INSTANCE_TYPE_INFO)

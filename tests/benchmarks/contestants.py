# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same fleet for everybody: members with a volume and an address each, one key pair, one security group."""

from __future__ import annotations

from typing import Any

NAME = FLEET = "bench"
TYPE, ZONE, DEVICE, PORTS = "t3.micro", "us-east-1a", "/dev/sdf", (22, 80)
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJSN2Nu/2AhHGSBzD1RnEk4kpUpp4ZvfQeFzPjSzqwYb bench"
CIDR = "10.0.0.0/8"


def ours(members: int, image: str) -> list[dict[str, Any]]:
    """One task."""
    member = {
        "name": "web",
        "count": members,
        "image": image,
        "instance_type": TYPE,
        "zone": ZONE,
        "key_pair": NAME,
        "security_groups": [NAME],
        "elastic_ip": True,
        "volumes": [{"name": "images", "size": 1}],
    }
    options = {
        "name": FLEET,
        "key_pairs": [{"name": NAME, "public_key": PUBLIC_KEY}],
        "security_groups": [{"name": NAME, "rules": [{"ports": [str(port)], "cidr": [CIDR]} for port in PORTS]}],
        "instances": [member],
    }
    return [{"steadfast.ec2.fleet": options}]


def theirs(members: int, image: str) -> list[dict[str, Any]]:
    """amazon.aws: one task for each kind, with a loop over the members, as its users write it."""
    names = [f"web-{number}" for number in range(1, members + 1)]
    rules = [{"proto": "tcp", "ports": [port], "cidr_ip": CIDR} for port in PORTS]
    instance = {
        "name": "{{ item }}",
        "image_id": image,
        "instance_type": TYPE,
        "availability_zone": ZONE,
        "key_name": NAME,
        "security_groups": [NAME],
        "state": "running",
    }
    volume = {
        "instance": "{{ item.instance_ids[0] }}",
        "name": "{{ item.item }}-images",
        "device_name": DEVICE,
        "volume_size": 1,
        "volume_type": "gp3",
    }
    made = "{{ made.results }}"
    return [
        {"amazon.aws.ec2_key": {"name": NAME, "key_material": PUBLIC_KEY}},
        {"amazon.aws.ec2_security_group": {"name": NAME, "description": NAME, "rules": rules}},
        {"amazon.aws.ec2_instance": instance, "loop": names, "register": "made"},
        {"amazon.aws.ec2_vol": volume, "loop": made},
        {"amazon.aws.ec2_eip": {"device_id": "{{ item.instance_ids[0] }}", "in_vpc": True}, "loop": made},
    ]


def single(kind: str, image: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """One resource by one task: ours, and that of amazon.aws; an instance is made of `image`."""
    group = [{"proto": "tcp", "ports": [port], "cidr_ip": CIDR} for port in PORTS]
    rules = [{"ports": [str(port)], "cidr": [CIDR]} for port in PORTS]
    pairs: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "key pair": (
            {"steadfast.ec2.key_pair": {"name": "one", "public_key": PUBLIC_KEY}},
            {"amazon.aws.ec2_key": {"name": "one", "key_material": PUBLIC_KEY}},
        ),
        "security group": (
            {"steadfast.ec2.security_group": {"name": "one", "rules": rules}},
            {"amazon.aws.ec2_security_group": {"name": "one", "description": "one", "rules": group}},
        ),
        "volume": (
            {"steadfast.ec2.volume": {"name": "one", "size": 1, "zone": ZONE}},
            {"amazon.aws.ec2_vol": {"name": "one", "volume_size": 1, "zone": ZONE, "volume_type": "gp3"}},
        ),
        "instance": (
            {"steadfast.ec2.instance": {"name": "one", "image": image, "instance_type": TYPE, "zone": ZONE, "state": "running"}},
            {
                "amazon.aws.ec2_instance": {
                    "name": "one",
                    "image_id": image,
                    "instance_type": TYPE,
                    "availability_zone": ZONE,
                    "state": "running",
                }
            },
        ),
    }
    return pairs[kind]


SINGLE = ("key pair", "security group", "volume", "instance")

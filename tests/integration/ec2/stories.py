# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules are taken through: each step is a change to what the steps before it left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .conftest import Step

DEBIAN = {"name": "debian-12-amd64-*", "owner": "136693071363"}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJSN2Nu/2AhHGSBzD1RnEk4kpUpp4ZvfQeFzPjSzqwYb me"
WEB = {"name": "web", "image": DEBIAN, "instance_type": "t3.micro"}
OPTIONS = {
    "root_volume": {"size": 12, "type": "gp3", "encrypted": True},
    "termination_protection": True,
    "shutdown_behavior": "stop",
    "monitoring": True,
    "ebs_optimized": False,
    "cpu_credits": "unlimited",
    "placement": {"tenancy": "default", "group": "near"},
    "private_ip": "172.31.16.77",
    "zone": "use1-az1",
    "user_data": "#!/bin/sh\ntrue\n",
}
FLEET = {
    "name": "moso-dev-nvir",
    "tags": {"Project": "moso", "Environment": "dev"},
    "key_pairs": [{"name": "Moso-dev-nvir", "private_key_file": "~/Moso-dev-nvir.pem"}],
    "security_groups": [
        {
            "name": "moso-web-dev-sg",
            "description": "web servers",
            "rules": [
                {"ports": [22], "cidr": "my_ip"},
                {"ports": [80], "cidr": "0.0.0.0/0"},
                {"ports": ["8000-8010"], "group": "moso-web-dev-sg"},
            ],
        }
    ],
    "instances": [
        {
            **WEB,
            "count": 2,
            "key_pair": "Moso-dev-nvir",
            "security_groups": ["moso-web-dev-sg"],
            "zone": ["use1-az1", "use1-az2"],
            "user_data": "#!/bin/sh\ntrue\n",
            "elastic_ip": True,
            "volumes": [{"name": "images", "size": 8, "type": "gp3", "device": "/dev/sdf"}, {"name": "logs", "size": 2}],
        }
    ],
}


def then(before: dict[str, Any], members: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The fleet of the step before, with some options of its instances, and some of its own, otherwise."""
    return {**before, **changes, "instances": [{**before["instances"][0], **members}]}


@dataclass(frozen=True)
class RuleWith:
    """In options: the id of the rule for a port, as the look-up before it found it."""

    port: int


GUARDED = {"name": "guarded", "purge_rules": False}
SHARED = {"name": "shared", "type": "io2", "size": 4, "iops": 100, "multi_attach": True, "zone": "us-east-1a"}
#: What a launch can be asked for besides, rules by their ids, and addresses on interfaces. The look is for the ids of the rules.
REST: list[Step] = [
    ("instance", {**WEB, "name": "cheap", "market": "spot", "spot": {"max_price": "0.01", "interruption_behavior": "stop"}}),
    ("instance", {"name": "cheap", "market": "spot", "state": "absent"}),
    ("instance", {**WEB, "instance_type": ["t3.nano", "t3.micro"], "zone": ["us-east-1a", "us-east-1b"], "name": "another-type"}),
    ("instance", {**WEB, "instance_type": "t3.small", "zone": ["us-east-1a", "us-east-1b"], "name": "another-zone"}),
    ("instance", {**WEB, "name": "checked", "wait_for": "status_checks", "zone": "us-east-1a"}),
    ("instance", {"name": "checked", "iam_instance_profile": "web"}),
    ("instance", {"name": "checked", "iam_instance_profile": "db"}),
    ("instance", {"name": "checked", "iam_instance_profile": ""}),
    ("instance", {**WEB, "name": "other", "zone": "us-east-1a", "iam_instance_profile": "web"}),
    ("instance", {"name": "other", "iam_instance_profile": "db"}),
    ("volume", {**SHARED, "instances": ["checked", "other"]}),
    ("volume", {**SHARED, "instances": ["other"]}),
    ("volume", {**SHARED, "instances": []}),
    ("security_group", {"name": "guarded", "rules": [{"ports": [port], "cidr": "10.0.0.0/8"} for port in (22, 80, 443)]}),
    ("security_group_info", {"names": ["guarded"]}),
    ("security_group", {**GUARDED, "rules": [{"id": RuleWith(80), "description": "plain"}]}),
    ("security_group", {**GUARDED, "rules": [{"id": RuleWith(80), "cidr": "192.0.2.0/24", "ports": [8080]}]}),
    ("security_group", {**GUARDED, "rules": [{"id": RuleWith(443), "state": "absent"}]}),
    ("security_group", {"name": "guarded", "rules": [{"id": RuleWith(80)}, {"ports": [25], "cidr": "10.0.0.0/8"}]}),
    ("elastic_ip", {"name": "entry", "network_interface": "by-hand"}),
    ("elastic_ip", {"name": "entry", "network_interface": "by-hand", "private_ip": "172.31.0.78"}),
    ("elastic_ip", {"name": "entry", "network_interface": "second"}),
    ("elastic_ip", {"name": "entry", "network_interface": ""}),
    ("elastic_ip", {"name": "entry", "instance": "other"}),
    ("elastic_ip", {"name": "on-it", "fleet": "shop", "adopt": True, "network_interface": "adopted"}),
    ("instance", {"name": "other", "fleet": "shop", "adopt": True}),
    ("volume", {"name": "shared", "fleet": "shop", "adopt": True}),
    ("security_group", {"name": "guarded", "fleet": "shop", "adopt": True}),
    ("elastic_ip", {"name": "entry", "state": "absent"}),
]

LARGER = then(FLEET, {"volumes": [{"name": "images", "size": 16, "device": "/dev/sdf"}, {"name": "logs", "size": 2}]})
RETAGGED = then(LARGER, {}, tags={"Project": "moso"})
CLOSED = then(RETAGGED, {}, security_groups=[{"name": "moso-web-dev-sg", "rules": [{"ports": [22], "cidr": "my_ip"}]}])
FASTER = then(CLOSED, {"instance_type": "t3.small", "on_change": {"instance_type": "restart"}})
ASLEEP = then(FASTER, {"state": "stopped"})
ONE = then(ASLEEP, {"count": 1}, prune=True)
BARE = then(ONE, {"elastic_ip": False, "volumes": []}, delete_volumes=["web-1/logs", "web-2/images", "web-2/logs"])


#: {story: [(module, options), …]}: each step is a change to what the steps before it left.
STORIES: dict[str, list[Step]] = {
    "key_pair": [
        ("key_pair", {"name": "made", "private_key_file": "~/made.pem"}),
        ("key_pair", {"name": "made", "private_key_file": "~/made.pem", "tags": {"Project": "moso"}}),
        ("key_pair", {"name": "made", "tags": {}}),
        ("key_pair", {"name": "rsa", "private_key_file": "~/rsa.pem", "key_type": "rsa"}),
        ("key_pair", {"name": "imported", "public_key": PUBLIC_KEY, "tags": {"a": "b"}}),
        ("key_pair", {"name": "made", "state": "absent"}),
    ],
    "security_group": [
        ("security_group", {"name": "web", "description": "web servers", "rules": [{"ports": [22], "cidr": "my_ip", "description": "me"}]}),
        (
            "security_group",
            {"name": "web", "rules": [{"ports": [80, "8000-8010"], "cidr": ["0.0.0.0/0", "::/0"]}, {"ports": [22], "group": "web"}]},
        ),
        (
            "security_group",
            {"name": "web", "rules": [{"protocol": "icmp", "cidr": "10.0.0.0/8"}, {"protocol": "all", "cidr": "10.1.0.0/16"}]},
        ),
        (
            "security_group",
            {"name": "web", "rules": [{"protocol": "icmp", "icmp_type": 8, "cidr": "10.0.0.0/8", "description": "ping"}]},
        ),
        (
            "security_group",
            {"name": "web", "rules": [{"protocol": "icmp", "icmp_type": 8, "cidr": "10.0.0.0/8", "description": "echo"}]},
        ),
        ("security_group", {"name": "web", "purge_rules": False, "rules": [{"protocol": "icmpv6", "cidr": "::/0"}]}),
        ("security_group", {"name": "web", "egress_rules": [{"protocol": "udp", "ports": [53], "cidr": "10.0.0.2/32"}]}),
        ("security_group", {"name": "web", "egress_rules": [{"ports": [443], "prefix_list": "com.amazonaws.us-east-1.s3"}]}),
        ("security_group", {"name": "web", "rules": [], "tags": {"Role": "web"}}),
        ("security_group", {"name": "web", "state": "absent"}),
    ],
    "instance": [
        ("instance", {**WEB, "zone": "use1-az2", "tags": {"Role": "web"}}),
        ("instance", {"name": "web", "tags": {"Role": "db"}}),
        ("instance", {"name": "web", "metadata_options": {"http_put_response_hop_limit": 2}}),
        ("instance", {"name": "web", "instance_type": "t3.small", "on_change": {"instance_type": "restart"}}),
        ("instance", {"name": "web", "state": "stopped"}),
        ("instance", {"name": "web", "state": "running"}),
        ("instance", {"name": "web", "state": "absent"}),
        ("instance", {**WEB, "state": "stopped"}),
    ],
    "instance_options": [
        ("instance", {**WEB, **OPTIONS}),
        ("instance", {"name": "web", "termination_protection": False, "shutdown_behavior": "terminate", "cpu_credits": "standard"}),
        ("instance", {"name": "web", "monitoring": False, "stop_protection": True}),
        ("instance", {"name": "web", "stop_protection": False, "state": "stopped"}),
        ("instance", {"name": "web", "ebs_optimized": True, "placement": {"group": "far", "partition": 2}}),
        ("instance", {"name": "web", "state": "running"}),
        ("instance", {"name": "web", "root_volume": {"size": 20, "iops": 4000, "throughput": 200}}),
        ("instance", {"name": "web", "root_volume": {"delete_on_termination": False}}),
        ("instance", {"name": "web", "user_data_base64": "IyEvYmluL3NoCg==", "on_change": {"user_data": "restart"}}),
        ("instance", {"name": "web", "state": "absent"}),
    ],
    "replace": [
        ("instance", {**WEB, "zone": "use1-az1", "user_data": "#!/bin/sh\ntrue\n", "tags": {"Role": "web"}}),
        ("volume", {"name": "data", "size": 2, "instance": "web"}),
        ("elastic_ip", {"name": "entry", "instance": "web"}),
        ("instance", {"name": "web", "user_data": "#!/bin/sh\nfalse\n", "on_change": {"user_data": "replace"}}),
        ("instance", {"name": "web", "instance_type": "t3.small", "state": "stopped", "on_change": {"instance_type": "replace"}}),
        ("instance", {"name": "web", "state": "absent"}),
    ],
    "volume": [
        ("volume", {"name": "data", "size": 2, "zone": "use1-az1", "tags": {"a": "b"}}),
        ("volume", {"name": "data", "size": 4, "iops": 4000, "throughput": 200}),
        ("instance", {**WEB, "zone": "use1-az1"}),
        ("volume", {"name": "data", "instance": "web"}),
        ("volume", {"name": "data", "instance": "web", "delete_on_termination": True}),
        ("volume", {"name": "more", "size": 1, "instance": "web"}),
        ("volume", {"name": "data", "instance": "", "tags": {}}),
        ("volume", {"name": "data", "state": "absent"}),
        ("volume", {"name": "more", "state": "absent"}),
    ],
    "elastic_ip": [
        ("elastic_ip", {"name": "entry", "tags": {"a": "b"}}),
        ("instance", WEB),
        ("elastic_ip", {"name": "entry", "instance": "web"}),
        ("instance", {**WEB, "name": "spare"}),
        ("elastic_ip", {"name": "entry", "instance": "spare"}),
        ("elastic_ip", {"name": "entry", "instance": ""}),
        ("elastic_ip", {"name": "entry", "state": "absent"}),
    ],
    "fleet": [
        *(("fleet", step) for step in (FLEET, LARGER, RETAGGED, CLOSED, FASTER, ASLEEP, ONE, BARE)),
        ("fleet", {"name": "moso-dev-nvir", "state": "absent"}),
        ("fleet", {"name": "moso-dev-nvir", "state": "absent", "delete_volumes": True}),
    ],
}

ACCOUNT = "210987654321"
VOLUME = ("volume", {"name": "data", "size": 2, "zone": "use1-az1", "tags": {"Project": "moso"}})
SNAP: dict[str, Any] = {"name": "data-1", "volume": "data"}
GOLD: dict[str, Any] = {"name": "web-gold", "instance": "web"}

#: Snapshots and images.
BACKUPS: dict[str, list[Step]] = {
    "snapshot": [
        VOLUME,
        ("snapshot", {**SNAP, "copy_tags": True, "description": "before", "series": "data", "share_with": [ACCOUNT]}),
        ("snapshot", {**SNAP, "tags": {"Role": "db"}, "share_with": []}),
        ("snapshot", {"name": "data-copy", "copy_from": {"snapshot": "data-1"}, "encrypted": True, "copy_tags": True}),
        ("snapshot", {"name": "far", "region": "eu-west-1", "copy_from": {"snapshot": "data-1", "region": "us-east-1"}}),
        ("snapshot", {**SNAP, "name": "data-2", "series": "data", "keep": {"newest": 2}}),
        ("snapshot", {**SNAP, "name": "data-3", "series": "data", "keep": {"newest": 2}}),
        ("snapshot", {"series": "data", "keep": {"newest": 1}}),
        ("snapshot", {"name": "data-3", "state": "absent"}),
    ],
    "image": [
        ("instance", WEB),
        ("image", {**GOLD, "description": "first", "tags": {"Role": "web"}, "share_with": [ACCOUNT]}),
        ("image", {**GOLD, "description": "second", "tags": {}, "share_with": ["all"]}),
        ("image", {"name": "web-copy", "copy_from": {"image": "web-gold"}, "encrypted": True, "copy_tags": True}),
        ("image", {"name": "web-far", "region": "eu-west-1", "copy_from": {"image": "web-gold", "region": "us-east-1"}}),
        ("image", {**GOLD, "name": "web-1", "reboot": True, "series": "web"}),
        ("image", {**GOLD, "name": "web-2", "series": "web", "keep": {"newest": 1}}),
        ("image", {"name": "web-gold", "state": "absent"}),
        ("image", {"name": "web-copy", "state": "absent", "delete_snapshots": False}),
    ],
}

#: One of each kind by a playbook, as people run them; the others are told without one, which is the same code (test_in_process.py).
BY_PLAYBOOK: list[Step] = [
    *(STORIES[kind][0] for kind in ("key_pair", "security_group", "instance", "volume", "elastic_ip")),
    ("fleet", FLEET),
    ("fleet", LARGER),
    ("fleet", {"name": FLEET["name"], "state": "absent", "delete_volumes": True}),
]
#: What the stories of changes leave out, because it needs no second look: other ways to the same end, and what only looks.
MORE: list[Step] = [
    (
        "instance",
        {**WEB, "name": "cheap", "market": "spot", "spot": {"interruption_behavior": "stop"}},
    ),
    ("instance", {"name": "cheap", "state": "absent"}),
    ("instance", {**WEB, "name": "checked", "wait_for": "status_checks"}),
    ("instance", {"name": "checked", "state": "absent"}),
    ("security_group", {"name": "one"}),
    ("key_pair", {"name": "key", "private_key_file": "~/key.pem"}),
    ("instance", {**WEB, "key_pair": "key", "security_groups": ["one"], "subnet_id": "SUBNET", "iam_instance_profile": "web"}),
    ("instance", {"name": "web", "security_groups": ["default"]}),
    ("instance", {"name": "web", "iam_instance_profile": "db"}),
    ("instance", {"name": "web", "iam_instance_profile": ""}),
    ("instance", {"name": "web", "iam_instance_profile": "web"}),
    ("instance", {"name": "web", "monitoring": True}),
    ("instance", {"name": "web", "state": "restarted"}),
    ("instance", {"name": "web", "image": "IMAGE", "on_change": {"image": "ignore"}}),
    ("elastic_ip", {"name": "entry", "instance": "web"}),
    ("volume", {"name": "data", "size": 1, "instance": "web"}),
    ("instance", {"name": "web", "tags": {"a": "b"}}),
    ("instance", {"name": "web", "tags": {}}),
    ("elastic_ip", {"name": "entry", "tags": {"a": "b"}}),
    ("elastic_ip", {"name": "entry", "tags": {}}),
    ("volume", {"name": "data", "tags": {"a": "b"}}),
    ("volume", {"name": "data", "tags": {}}),
    ("key_pair", {"name": "key", "tags": {"a": "b"}}),
    ("key_pair", {"name": "key", "tags": {}}),
    ("security_group", {"name": "one", "tags": {"a": "b"}}),
    ("security_group", {"name": "one", "tags": {}, "egress_rules": [{"ports": [1], "cidr": "10.0.0.0/8", "description": "a"}]}),
    ("security_group", {"name": "one", "egress_rules": [{"ports": [1], "cidr": "10.0.0.0/8", "description": "b"}]}),
    ("security_group", {"name": "one", "rules": [{"ports": [1], "cidr": "10.0.0.0/8"}]}),
    ("security_group_info", {}),
    ("security_group", {"name": "one", "rules": [{"id": RuleWith(1), "ports": [2]}]}),
    ("elastic_ip", {"name": "inner", "network_interface": "INTERFACE"}),
    ("key_pair_info", {}),
    ("security_group_info", {}),
    ("instance_info", {}),
    ("volume_info", {}),
    ("elastic_ip_info", {}),
    ("fleet_info", {"name": "shop", "tags": {"Name": "web"}, "details": True}),
    ("image", GOLD),
    ("image_info", {"owners": ["self"], "sharing": True}),
    ("snapshot_info", {"sharing": True}),
    ("availability_zone_info", {}),
    ("instance_type_info", {"names": ["t3.micro"], "zone": "use1-az1"}),
    ("caller_info", {}),
]

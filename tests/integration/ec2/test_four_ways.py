# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every module, every kind of change: check → apply → apply → check gives changed yes, yes, no, no."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Answer, Playbook

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


LARGER = then(FLEET, {"volumes": [{"name": "images", "size": 16, "device": "/dev/sdf"}, {"name": "logs", "size": 2}]})
RETAGGED = then(LARGER, {}, tags={"Project": "moso"})
CLOSED = then(RETAGGED, {}, security_groups=[{"name": "moso-web-dev-sg", "rules": [{"ports": [22], "cidr": "my_ip"}]}])
FASTER = then(CLOSED, {"instance_type": "t3.small", "on_change": {"instance_type": "restart"}})
ASLEEP = then(FASTER, {"state": "stopped"})
ONE = then(ASLEEP, {"count": 1}, prune=True)
BARE = then(ONE, {"elastic_ip": False, "volumes": []}, delete_volumes=["web-1/logs", "web-2/images", "web-2/logs"])


#: {story: [(module, options), …]}: each step is a change to what the steps before it left.
STORIES: dict[str, list[tuple[str, dict[str, Any]]]] = {
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


@pytest.mark.parametrize("story", STORIES)
def test_four_ways(story: str, playbook: Playbook) -> None:
    """changed = yes, yes, no, no; the diffs of check and apply are equal; checks write nothing; no warnings."""
    steps = STORIES[story]
    tasks = [
        {f"steadfast.ec2.{module}": options, "check_mode": check, "diff": True}
        for module, options in steps
        for check in (True, False, False, True)
    ]
    answers = playbook.run(tasks)
    for number, (module, options) in enumerate(steps):
        four = answers[4 * number : 4 * number + 4]
        label = f"{story} step {number}: {module} {options}"
        check_one(label, four)


def check_one(label: str, four: list[Answer]) -> None:
    for answer in four:
        assert not answer.result.get("failed"), f"{label}: {answer.result.get('msg')}"
        assert "warnings" not in answer.result, label
    assert [answer.result["changed"] for answer in four] == [True, True, False, False], (
        label,
        [a.result["summary"] for a in four],
        four[2].result["plan"],
    )
    check, apply, again, check_again = four
    assert check.result["diff"] == apply.result["diff"], label
    assert check.result["plan"] == apply.result["plan"], label
    assert again.result["diff"] == check_again.result["diff"] == [], label
    assert [answer.writes for answer in (check, again, check_again)] == [[], [], []], label
    assert apply.writes, label

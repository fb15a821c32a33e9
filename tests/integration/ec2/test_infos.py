# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules that only look: the facts of the modules that change things, by calls that read, and few of them."""

from __future__ import annotations

from .conftest import Playbook
from .stories import FLEET, PUBLIC_KEY, WEB

#: {noun: the call that is enough for it}; an instance is shown with what belongs to it.
TWINS = {
    "key_pair": ["DescribeKeyPairs"],
    "security_group": ["DescribeSecurityGroupRules", "DescribeSecurityGroups"],
    "instance": ["DescribeAddresses", "DescribeInstances", "DescribeVolumes"],
    "volume": ["DescribeVolumes"],
    "elastic_ip": ["DescribeAddresses"],
}
ALLOWED = {"DescribeAvailabilityZones"}


def test_twins_return_what_the_modules_return(playbook: Playbook) -> None:
    """All of a fleet, then one by id, by name and by filter: the same facts, no write, no call more than it takes."""
    answers = playbook.run(
        [
            {"steadfast.ec2.fleet": FLEET},
            *({f"steadfast.ec2.{noun}_info": {"fleet": FLEET["name"]}} for noun in TWINS),
        ]
    )
    made, *found = answers
    for (noun, calls), answer in zip(TWINS.items(), found, strict=True):
        plural = f"{noun}s"
        expected = [{k: v for k, v in one.items() if k not in ("planned", "private_key_file")} for one in made.result["fleet"][plural]]
        there = [{k: v for k, v in one.items() if k != "rule_entries"} for one in answer.result[plural]]
        there = [one for one in there if not str(one.get("member")).endswith("/root")]
        assert sorted(there, key=lambda one: one["id"]) == sorted(expected, key=lambda one: one["id"]), noun
        assert answer.writes == []
        assert answer.result["changed"] is False
        assert sorted({call["action"] for call in answer.calls} - ALLOWED) == calls
        assert len(answer.calls) <= len(calls) + 1


#: (what is asked for, names of the key pairs that fit)
SELECTIONS: list[tuple[dict[str, object], list[str]]] = [
    ({"names": ["one"]}, ["one"]),
    ({"names": ["o*"]}, ["one"]),
    ({"ids": ["key-00000000000000000"]}, []),
    ({"ids": []}, []),
    ({"tags": {"Role": ["a", "b"]}}, ["one", "two"]),
    ({"tags": {"Role": "b"}}, ["two"]),
    ({"filters": {"key_name": "two"}}, ["two"]),
    ({"names": ["one"], "tags": {"Role": "b"}}, []),
    ({}, ["one", "three", "two"]),
]


def test_several_conditions_must_all_hold(playbook: Playbook) -> None:
    """Names, tags, ids and filters; nothing is selected by an empty list, everything without any."""
    ec2 = playbook.sandbox.client()
    for name, tag in (("one", "a"), ("two", "b"), ("three", None)):
        tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "Role", "Value": tag}]}] if tag else []
        ec2.import_key_pair(KeyName=name, PublicKeyMaterial=PUBLIC_KEY.encode(), TagSpecifications=tags)
    answers = playbook.run([{"steadfast.ec2.key_pair_info": select} for select, _names in SELECTIONS])
    assert [[one["name"] for one in answer.result["key_pairs"]] for answer in answers] == [names for _select, names in SELECTIONS]


def test_the_declaration_of_a_fleet_changes_nothing_when_it_is_applied(playbook: Playbook) -> None:
    """Read back from the account, short and complete, written into a playbook, and run: nothing to do, nothing written."""
    asked = [{"steadfast.ec2.fleet_info": {"name": FLEET["name"], "complete": complete}} for complete in (False, True)]
    _made, *found = playbook.run([{"steadfast.ec2.fleet": FLEET}, *asked])
    assert [answer.writes for answer in found] == [[], []]
    assert max(len(answer.calls) for answer in found) <= 10
    declarations = [answer.result["declaration"] for answer in found]
    assert [[one["name"] for one in declaration["instances"]] for declaration in declarations] == [["web"], ["web"]]
    for applied in playbook.run([{"steadfast.ec2.fleet": declaration} for declaration in declarations]):
        assert (applied.result.get("msg"), applied.result["changed"], applied.result["plan"], applied.writes) == (None, False, [], [])


def test_zones_and_types_of_the_region(playbook: Playbook) -> None:
    """Zones by name and id; a type with the zones that offer it, selected by one of them."""
    zones, one, types, nowhere = playbook.run(
        [
            {"steadfast.ec2.availability_zone_info": {}},
            {"steadfast.ec2.availability_zone_info": {"ids": ["use1-az2"]}},
            {"steadfast.ec2.instance_type_info": {"names": ["t3.micro", "t4g.n*"], "zone": "use1-az2"}},
            {"steadfast.ec2.instance_type_info": {"names": ["t3.micro"], "zone": "use1-az99"}},
        ]
    )
    assert len(zones.result["availability_zones"]) > 2
    [second] = one.result["availability_zones"]
    assert second in zones.result["availability_zones"]
    assert (second["id"], second["region"], second["state"]) == ("use1-az2", "us-east-1", "available")
    found = {entry["name"]: entry for entry in types.result["instance_types"]}
    assert list(found) == ["t3.micro", "t4g.nano"]
    assert (found["t3.micro"]["vcpus"], found["t3.micro"]["memory_mib"], found["t4g.nano"]["architectures"]) == (2, 1024, ["arm64"])
    assert {"name": second["name"], "id": "use1-az2"} in found["t3.micro"]["zones"]
    assert nowhere.result["instance_types"] == []
    assert all(not answer.writes for answer in (zones, one, types, nowhere))


def test_what_was_made_by_hand_is_taken_over_and_nothing_else_changes(playbook: Playbook) -> None:
    """One thing at a time, without a fleet: described, applied, owned; only tags are written."""
    by_hand = [
        {"steadfast.ec2.key_pair": {"name": "hand", "public_key": PUBLIC_KEY}},
        {"steadfast.ec2.security_group": {"name": "hand-sg", "rules": [{"ports": [22], "cidr": "10.0.0.0/8"}]}},
        {"steadfast.ec2.instance": {**WEB, "key_pair": "hand", "security_groups": ["hand-sg"], "tags": {"Project": "moso"}}},
        {"steadfast.ec2.volume": {"name": "pictures", "size": 2, "instance": "web", "tags": {"Project": "moso"}}},
        {"steadfast.ec2.elastic_ip": {"name": "web", "instance": "web", "tags": {"Project": "moso"}}},
    ]
    found = playbook.run([*by_hand, {"steadfast.ec2.fleet_info": {"name": "shop", "tags": {"Project": "moso"}}}])[-1]
    assert (found.writes, found.result["notes"], found.result["declaration"]["adopt"]) == ([], [], True)
    taken, again, own = playbook.run(
        [
            {"steadfast.ec2.fleet": found.result["declaration"]},
            {"steadfast.ec2.fleet": found.result["declaration"]},
            {"steadfast.ec2.fleet_info": {"name": "shop"}},
        ]
    )
    assert (taken.result.get("msg"), {name for change in taken.result["plan"] for name in change["steps"]}) == (None, {"CreateTags"})
    assert len(taken.result["plan"]) == len(by_hand)
    assert (again.result["changed"], again.writes) == (False, [])
    assert {**own.result["declaration"], "adopt": True} == found.result["declaration"]

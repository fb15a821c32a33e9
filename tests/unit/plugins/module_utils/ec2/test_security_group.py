# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules of security groups: every source and protocol, every spelling of the same, and the order of what is done."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, rules
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput, NotFound
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import OWNER, Account, Api

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=1.0)


def run(account: Account, *groups: dict[str, Any], check: bool = False) -> Outcome:
    """Groups declared without a fleet."""
    declared = tuple(declare.security_group(group) for group in groups)
    return reconcile(Fleet(Declaration(security_groups=declared), Api(account), LIMITS), check)


def group(name: str = "web", **options: Any) -> dict[str, Any]:
    return {"name": name, **options}


def texts(account: Account, name: str = "web", place: str = "IpPermissions") -> list[str]:
    """The rules in the account, as people read them."""
    [one] = [one for one in account.groups.values() if one["GroupName"] == name]
    return rules.texts(rules.from_api(one[place], OWNER), {}, "")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"ports": ["22"], "cidr": ["192.0.2.7"]}, "tcp 22  192.0.2.7/32"),
        ({"ports": ["8000-8010"], "cidr": ["2001:0DB8:0::/32"]}, "tcp 8000-8010  2001:db8::/32"),
        ({"protocol": "17", "ports": ["53-53"], "cidr": ["10.0.0.0/8"]}, "udp 53  10.0.0.0/8"),
        ({"protocol": "icmp", "cidr": ["10.0.0.0/8"]}, "icmp  10.0.0.0/8"),
        ({"protocol": "icmp", "icmp_type": 8, "cidr": ["10.0.0.0/8"]}, "icmp type 8  10.0.0.0/8"),
        ({"protocol": "ICMP", "icmp_type": 3, "icmp_code": 4, "cidr": ["10.0.0.0/8"]}, "icmp type 3 code 4  10.0.0.0/8"),
        ({"protocol": "icmp", "icmp_type": 0, "icmp_code": 0, "cidr": ["10.0.0.0/8"]}, "icmp type 0 code 0  10.0.0.0/8"),
        ({"protocol": "58", "icmp_type": 128, "icmp_code": -1, "cidr": ["::/0"]}, "icmpv6 type 128  ::/0"),
        ({"protocol": "icmpv6", "icmp_type": -1, "cidr": ["::/0"]}, "icmpv6  ::/0"),
        ({"protocol": "all", "cidr": ["10.0.0.0/8"]}, "all protocols  10.0.0.0/8"),
        ({"protocol": "50", "cidr": ["10.0.0.0/8"]}, "50  10.0.0.0/8"),
        ({"ports": ["443"], "prefix_list": ["pl-12345678"]}, "tcp 443  pl-12345678"),
        ({"ports": ["443"], "prefix_list": ["com.amazonaws.us-east-1.s3"]}, "tcp 443  pl-63a5400a"),
        ({"ports": ["443"], "group": ["222222222222/sg-0abc"]}, "tcp 443  222222222222/sg-0abc"),
        ({"ports": ["22"], "cidr": ["192.0.2.7/32"], "description": "office"}, "tcp 22  192.0.2.7/32 (office)"),
    ],
)
@pytest.mark.parametrize("place", [("rules", "IpPermissions"), ("egress_rules", "IpPermissionsEgress")])
def test_every_kind_of_rule_is_made_and_then_found_as_declared(rule: dict[str, Any], text: str, place: tuple[str, str]) -> None:
    """Whatever the source, the protocol and the spelling: one run makes the rule, the next has nothing to do."""
    account = Account()
    option, where = place
    run(account, group(**{option: [rule]}))
    assert texts(account, place=where) == [text]
    assert not run(account, group(**{option: [rule]})).plan.changed


@pytest.mark.parametrize("name", ["back", "the id", "the id with its account"])
def test_a_group_is_named_by_name_by_id_or_with_its_own_account(name: str) -> None:
    """Three ways to say the same group are one rule."""
    account = Account()
    group_id = account.add_group("back", "back", {})
    source = {"back": "back", "the id": group_id, "the id with its account": f"{OWNER}/{group_id}"}[name]
    run(account, group(rules=[{"ports": ["22"], "group": [source]}]))
    assert not run(account, group(rules=[{"ports": ["22"], "group": ["back"]}])).plan.changed
    assert not run(account, group(rules=[{"ports": ["22"], "group": [f"{OWNER}/{group_id}"]}])).plan.changed


def test_several_spellings_are_one_rule() -> None:
    """The same thing said twice is sent once, so AWS has no duplicate to complain of."""
    account = Account()
    group_id = account.add_group("back", "back", {})
    spelled = [
        {"ports": ["80", "80-80", " 80 "], "cidr": ["192.0.2.7", "192.0.2.7/32"]},
        {"protocol": "6", "ports": ["80"], "cidr": ["192.0.2.7/32"], "description": "one"},
        {"ports": ["22"], "group": ["back", group_id]},
    ]
    run(account, group(rules=spelled))
    assert texts(account) == [f"tcp 22  {group_id}", "tcp 80  192.0.2.7/32 (one)"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"ports": ["22"], "cidr": ["10.0.0.1/8"]}, ["'10.0.0.1/8' is not a CIDR", "10.0.0.0/8"]),
        ({"ports": ["22"], "cidr": ["2001:db8::1/32"]}, ["is not a CIDR", "2001:db8::/32"]),
        ({"protocol": "tpc", "ports": ["22"], "cidr": ["10.0.0.0/8"]}, ["'tpc' is not a protocol"]),
        ({"protocol": "256", "cidr": ["10.0.0.0/8"]}, ["'256' is not a protocol"]),
        ({"protocol": "icmp", "ports": ["8"], "cidr": ["10.0.0.0/8"]}, ["icmp cannot have ports", "icmp_type"]),
        ({"protocol": "icmp", "icmp_type": 256, "cidr": ["10.0.0.0/8"]}, ["icmp_type and icmp_code cannot be meant"]),
        ({"protocol": "icmp", "icmp_code": 1, "cidr": ["10.0.0.0/8"]}, ["a code needs a type"]),
        ({"ports": ["22"], "icmp_type": 8, "cidr": ["10.0.0.0/8"]}, ["tcp cannot have icmp_type"]),
        ({"protocol": "all", "ports": ["22"], "cidr": ["10.0.0.0/8"]}, ["-1 cannot have ports"]),
        ({"ports": ["22"], "group": ["222222222222/web"]}, ["'222222222222/web' is not a security group"]),
        ({"ports": [""], "cidr": ["10.0.0.0/8"]}, ["is not a port"]),
    ],
)
def test_rules_that_cannot_be_meant(rule: dict[str, Any], words: list[str]) -> None:
    """Each is refused in words, before anything is called."""
    with pytest.raises(InvalidInput) as caught:
        declare.security_group(group(rules=[rule]))
    assert caught.value.do
    for word in words:
        assert word in caught.value.message


def test_an_unknown_prefix_list_is_named() -> None:
    """A name that the region does not have is refused before the group is made."""
    account = Account()
    with pytest.raises(NotFound) as caught:
        run(account, group(rules=[{"ports": ["443"], "prefix_list": ["nowhere"]}]))
    assert "nowhere" in caught.value.message
    assert "CreateSecurityGroup" not in account.calls


def test_two_descriptions_for_one_rule_contradict() -> None:
    """Also where only names and ids make them the same."""
    account = Account()
    group_id = account.add_group("back", "back", {})
    with pytest.raises(InvalidInput, match="different descriptions"):
        run(
            account,
            group(
                rules=[{"ports": ["1"], "group": ["back"], "description": "a"}, {"ports": ["1"], "group": [group_id], "description": "b"}]
            ),
        )


@pytest.mark.parametrize("option", ["rules", "egress_rules"])
def test_a_description_is_changed_in_place(option: str) -> None:
    """The rule lets its traffic through all the while: it is neither revoked nor made again."""
    account = Account()
    rule = {"ports": ["22"], "cidr": ["192.0.2.7/32"]}
    place = "IpPermissions" if option == "rules" else "IpPermissionsEgress"
    run(account, group(**{option: [{**rule, "description": "office"}]}))
    del account.calls[:]
    run(account, group(**{option: [{**rule, "description": "home"}]}))
    assert [call for call in account.calls if not call.startswith("Describe")] == [
        f"UpdateSecurityGroupRuleDescriptions{'Ingress' if option == 'rules' else 'Egress'}"
    ]
    assert not run(account, group(**{option: [rule]})).plan.changed
    run(account, group(**{option: [{**rule, "description": ""}]}))
    assert texts(account, place=place) == ["tcp 22  192.0.2.7/32"]
    assert not run(account, group(**{option: [{**rule, "description": ""}]})).plan.changed


def test_new_rules_are_there_before_old_ones_go() -> None:
    """Both directions are opened before either is closed: no traffic that stays allowed is cut in between."""
    account = Account()
    run(account, group(rules=[{"ports": ["22"], "cidr": ["10.0.0.0/8"]}], egress_rules=[{"ports": ["80"], "cidr": ["10.0.0.0/8"]}]))
    outcome = run(
        account, group(rules=[{"ports": ["22"], "cidr": ["10.0.0.0/9"]}], egress_rules=[{"ports": ["80"], "cidr": ["10.0.0.0/9"]}])
    )
    [change] = outcome.plan.effective
    assert [step.verb[:9] for step in change.steps] == ["Authorize", "Authorize", "RevokeSec", "RevokeSec"]


def test_rules_beside_the_declared_ones_can_be_kept() -> None:
    """purge_rules: false adds what is missing and takes nothing away."""
    account = Account()
    run(account, group(rules=[{"ports": ["22"], "cidr": ["10.0.0.0/8"]}]))
    more = group(rules=[{"ports": ["80"], "cidr": ["10.0.0.0/8"]}], purge_rules=False)
    run(account, more)
    assert texts(account) == ["tcp 22  10.0.0.0/8", "tcp 80  10.0.0.0/8"]
    assert not run(account, more).plan.changed
    new = group("new", egress_rules=[{"ports": ["80"], "cidr": ["10.0.0.0/8"]}], purge_egress_rules=False)
    run(account, new)
    assert texts(account, "new", "IpPermissionsEgress") == ["all protocols  0.0.0.0/0", "tcp 80  10.0.0.0/8"]


def test_the_default_egress_of_an_ipv6_vpc_goes_too() -> None:
    """A VPC with IPv6 gives a new group a second rule that lets everything out; declared egress is exact there as well."""
    account = Account()
    add = account.add_group

    def with_ipv6(name: str, description: str, tags: Any) -> str:
        group_id = add(name, description, tags)
        account.groups[group_id]["IpPermissionsEgress"].append({"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
        return group_id

    account.add_group = with_ipv6  # type: ignore[method-assign]
    run(account, group(egress_rules=[]))
    assert texts(account, place="IpPermissionsEgress") == []


CIRCLE = (
    group("front", rules=[{"ports": ["1"], "group": ["back"]}], egress_rules=[{"ports": ["2"], "group": ["back"]}]),
    group("back", rules=[{"ports": ["3"], "group": ["front", "back"]}]),
)


def test_groups_that_name_each_other_come_and_go_in_one_run() -> None:
    """A circle is made in one run and deleted in one run, in whatever order it is declared."""
    for declared in (CIRCLE, CIRCLE[::-1]):
        account = Account()
        assert run(account, *declared, check=True).plan.summary() == "Plan: 2 to create."
        run(account, *declared)
        assert len(texts(account, "back")) == 2
        assert not run(account, *declared).plan.changed
        run(account, *({**one, "state": "absent", "rules": None, "egress_rules": None} for one in declared))
        assert [one["GroupName"] for one in account.groups.values()] == ["default"]


def test_a_rule_that_vanished_meanwhile_does_not_hold_up_the_others() -> None:
    """AWS revokes none of several rules when one is gone, so they are then revoked one by one."""
    account = Account()
    run(account, group(rules=[{"ports": ["1", "2", "3"], "cidr": ["10.0.0.0/8"]}]))

    class Racing(Api):
        def _RevokeSecurityGroupIngress(self, params: Any) -> Any:  # noqa: N802 - the API's name
            group = self.account.groups[params["GroupId"]]
            group["IpPermissions"] = [one for one in group["IpPermissions"] if one["FromPort"] != 2]
            return super()._RevokeSecurityGroupIngress(params)

    reconcile(Fleet(Declaration(security_groups=(declare.security_group(group(rules=[])),)), Racing(account), LIMITS), False)
    assert texts(account) == []

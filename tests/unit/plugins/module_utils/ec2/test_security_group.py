# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules of security groups: every source and protocol, every spelling of the same, and the order of what is done."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, info, rules
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput, NotFound, Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace
from hypothesis import given, settings
from hypothesis import strategies as some

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


def ids(account: Account, name: str = "web") -> dict[str, str]:
    """{what a rule says: its id}"""
    entries = info.security_groups(Api(account), {"names": [name]})["security_groups"][0]["rule_entries"]
    return {one["text"]: one["id"] for one in entries}


OFFICE, BACKUP = "tcp 22 from 192.0.2.0/24 (office)", "tcp 873 from 10.0.0.0/8"
TWO = [{"ports": ["22"], "cidr": ["192.0.2.0/24"], "description": "office"}, {"ports": ["873"], "cidr": ["10.0.0.0/8"]}]


@pytest.mark.parametrize(
    ("given", "text", "verb"),
    [
        ({"description": "home"}, "tcp 22 from 192.0.2.0/24 (home)", "UpdateSecurityGroupRuleDescriptionsIngress"),
        ({"description": ""}, "tcp 22 from 192.0.2.0/24", "UpdateSecurityGroupRuleDescriptionsIngress"),
        ({"cidr": ["198.51.100.0/24"]}, "tcp 22 from 198.51.100.0/24 (office)", "ModifySecurityGroupRules"),
        ({"ports": ["2222"]}, "tcp 2222 from 192.0.2.0/24 (office)", "ModifySecurityGroupRules"),
        ({"protocol": "icmp", "icmp_type": 8}, "icmp type 8 from 192.0.2.0/24 (office)", "ModifySecurityGroupRules"),
        ({"protocol": "all", "description": "any"}, "all protocols from 192.0.2.0/24 (any)", "ModifySecurityGroupRules"),
        ({"state": "absent"}, None, "RevokeSecurityGroupIngress"),
    ],
)
def test_a_rule_is_changed_by_its_id(given: dict[str, Any], text: str | None, verb: str) -> None:
    """One call, the rule keeps its id, what is not given stays as it is, and the other rules are left alone."""
    account = Account()
    run(account, group(rules=TWO))
    before = ids(account)
    entry = {"id": before[OFFICE], **given}
    del account.calls[:]
    run(account, group(rules=[entry], purge_rules=False))
    assert [call for call in account.calls if not call.startswith("Describe")] == [verb]
    expected = {BACKUP: before[BACKUP], "all protocols to 0.0.0.0/0": before["all protocols to 0.0.0.0/0"]}
    assert ids(account) == {**expected, **({text: before[OFFICE]} if text else {})}
    assert not run(account, group(rules=[entry], purge_rules=False)).plan.changed


def test_a_list_with_ids_is_exact() -> None:
    """A rule is declared by its id as well as by what it says: it is kept, and what is declared by neither goes."""
    account = Account()
    run(account, group(rules=TWO))
    before = ids(account)
    declared = [{"id": before[OFFICE]}, {"ports": ["80"], "cidr": ["0.0.0.0/0"]}]
    run(account, group(rules=declared))
    assert texts(account) == ["tcp 22  192.0.2.0/24 (office)", "tcp 80  0.0.0.0/0"]
    assert ids(account)[OFFICE] == before[OFFICE]
    assert not run(account, group(rules=declared)).plan.changed


def test_what_a_rule_said_before_may_be_declared_anew_beside_it() -> None:
    """The rule moves before the new one is authorised, so AWS has no duplicate to complain of."""
    account = Account()
    run(account, group(rules=TWO))
    before = ids(account)
    declared = [{"id": before[OFFICE], "ports": ["2222"]}, TWO[0], TWO[1]]
    run(account, group(rules=declared))
    assert texts(account) == ["tcp 22  192.0.2.0/24 (office)", "tcp 873  10.0.0.0/8", "tcp 2222  192.0.2.0/24 (office)"]
    assert not run(account, group(rules=declared)).plan.changed


def test_egress_rules_and_groups_by_name_have_ids_too() -> None:
    """The same in the other direction, and a source that is a group may be named."""
    account = Account()
    account.add_group("back", "back", {})
    account.add_group("front", "front", {})
    run(account, group(egress_rules=[{"ports": ["5432"], "group": ["back"]}]))
    [rule_id] = ids(account).values()
    entry = {"id": rule_id, "group": ["front"], "description": "new"}
    run(account, group(egress_rules=[entry]))
    front = next(one["GroupId"] for one in account.groups.values() if one["GroupName"] == "front")
    assert texts(account, place="IpPermissionsEgress") == [f"tcp 5432  {front} (new)"]
    assert not run(account, group(egress_rules=[entry])).plan.changed


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([{"id": "OFFICE", "cidr": ["2001:db8::/32"]}], "of another kind"),
        ([{"id": "OFFICE", "ports": ["873"], "cidr": ["10.0.0.0/8"]}], "another rule says already"),
        ([{"id": "OFFICE", "state": "absent"}, TWO[0]], "declared absent by its id and present"),
        ([{"id": "sgr-0gone"}], "has no such rule"),
        ([{"id": "EGRESS"}], "among the egress rules"),
    ],
)
def test_what_cannot_be_done_by_id_is_refused_before_anything_is(entries: list[dict[str, Any]], why: str) -> None:
    """AWS would refuse it half way, or do two things that contradict each other."""
    account = Account()
    run(account, group(rules=TWO))
    known = ids(account)
    names = {"OFFICE": known[OFFICE], "EGRESS": known["all protocols to 0.0.0.0/0"]}
    del account.calls[:]
    with pytest.raises((Refused, InvalidInput, NotFound), match=why):
        run(account, group(rules=[{**one, **({"id": names.get(one["id"], one["id"])} if "id" in one else {})} for one in entries]))
    assert all(call.startswith("Describe") for call in account.calls)


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([{"id": "sg-1"}], "not the id of a rule"),
        ([{"state": "absent", "ports": ["22"], "cidr": ["10.0.0.0/8"]}], "without an id is declared absent"),
        ([{"id": "sgr-1"}, {"id": "sgr-1"}], "declared twice"),
        ([{"id": "sgr-1", "ports": ["22", "80"]}], "cannot say so much"),
        ([{"id": "sgr-1", "cidr": ["10.0.0.0/8"], "group": ["web"]}], "cannot say so much"),
    ],
)
def test_entries_with_ids_that_cannot_be_meant(entries: list[dict[str, Any]], why: str) -> None:
    """Refused before anything is asked."""
    with pytest.raises(InvalidInput, match=why):
        declare.security_group(group(rules=entries))


def test_a_rule_that_is_gone_is_already_absent() -> None:
    """Whoever took it away, and also between the look and the deed."""
    account = Account()
    run(account, group(rules=TWO))
    entry = group(rules=[{"id": ids(account)[OFFICE], "state": "absent"}], purge_rules=False)

    class Racing(Api):
        def _RevokeSecurityGroupIngress(self, params: Any) -> Any:  # noqa: N802 - the API's name
            super()._RevokeSecurityGroupIngress(params)
            return super()._RevokeSecurityGroupIngress(params)

    reconcile(Fleet(Declaration(security_groups=(declare.security_group(entry),)), Racing(account), LIMITS), False)
    assert texts(account) == ["tcp 873  10.0.0.0/8"]
    assert not run(account, entry).plan.changed


@settings(deadline=None, max_examples=40)
@given(
    protocol=some.sampled_from(["tcp", "udp", "icmp", "icmpv6", "all", "50"]),
    first=some.integers(0, 200),
    source=some.sampled_from([{"cidr": ["10.0.0.0/8"]}, {"cidr": ["2001:db8::/32"]}, {"prefix_list": ["pl-1"]}, {"group": ["default"]}]),
    description=some.sampled_from([None, "why"]),
)
def test_what_is_shown_of_a_rule_declares_it(protocol: str, first: int, source: dict[str, Any], description: str | None) -> None:
    """Every entry that security_group_info returns, given back with its id, changes nothing."""
    account = Account()
    where = {"tcp": {"ports": [str(first)]}, "udp": {"ports": [f"{first}-300"]}, "icmp": {"icmp_type": first}}.get(protocol, {})
    run(account, group(rules=[{"protocol": protocol, **where, **source, "description": description}]))
    entries = info.security_groups(Api(account), {"names": ["web"]})["security_groups"][0]["rule_entries"]
    back = [{name: value for name, value in one.items() if name not in ("text", "egress", "tags")} for one in entries if not one["egress"]]
    assert not run(account, group(rules=back)).plan.changed

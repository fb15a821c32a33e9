# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Elastic IPs: one for a name, moved without taking anything from anybody, and taken over where they exist already."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, view
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput, NotFound, Refused, SteadfastError
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import Account, Api

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=1.0)


def declaration(*addresses: dict[str, Any], fleet: str | None = None) -> Declaration:
    return Declaration(fleet=fleet, elastic_ips=tuple(declare.elastic_ip(one) for one in addresses))


def run(account: Account, *addresses: dict[str, Any], fleet: str | None = None, check: bool = False) -> Outcome:
    return reconcile(Fleet(declaration(*addresses, fleet=fleet), Api(account), LIMITS), check)


def launch(account: Account, name: str) -> str:
    one = declare.instance({"name": name, "image": "ami-1", "instance_type": "t3.micro"})
    reconcile(Fleet(Declaration(instances=(one,)), Api(account), LIMITS), False)
    return account.live()[-1]["InstanceId"]


def allocate(account: Account, **tags: str) -> str:
    """An address that somebody has already."""
    wanted = [{"ResourceType": "elastic-ip", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
    return Api(account).call("AllocateAddress", {"TagSpecifications": wanted})["AllocationId"]


def where(account: Account) -> dict[str, str | None]:
    """{Name tag: the instance that the address points to}"""
    return {one["Tags"].get("Name", "-"): one.get("InstanceId") for one in account.addresses.values()}


def test_one_address_for_a_name_wherever_it_points() -> None:
    """A second run, a move and a release are about the same address; nothing is allocated beside it."""
    account = Account()
    web, spare = launch(account, "web"), launch(account, "spare")
    for instance, expected in (("web", web), ("spare", spare), ("", None), ("web", web)):
        run(account, {"name": "entry", "instance": instance})
        assert where(account) == {"entry": expected}
        assert not run(account, {"name": "entry", "instance": instance}).plan.changed
    run(account, {"name": "entry", "state": "absent"})
    assert account.addresses == {}
    assert account.calls.count("AllocateAddress") == 1


def test_no_free_address_of_somebody_else_is_taken() -> None:
    """An address without this name is not ours, however free it is."""
    account = Account()
    allocate(account, Name="other")
    run(account, {"name": "entry"})
    assert sorted(where(account)) == ["entry", "other"]


@pytest.mark.parametrize("by", ["AllocationId", "PublicIp"])
def test_an_address_is_taken_over_where_that_is_said(by: str) -> None:
    """By itself or by its allocation id; check mode says so and shows it; afterwards it is found by its name alone."""
    account = Account()
    allocation = allocate(account, Owner="me")
    wish = {"name": "entry", "address": account.addresses[allocation][by]}
    check = run(account, wish, check=True)
    assert check.plan.effective[0].reasons == ("it is taken over under this name",)
    assert view.result("elastic_ip", declaration(wish), check)["id"] == allocation
    run(account, wish)
    assert account.addresses[allocation]["Tags"] == {"Owner": "me", "Name": "entry"}
    assert not run(account, wish).plan.changed
    assert not run(account, {"name": "entry"}).plan.changed


def test_an_address_is_taken_over_into_a_fleet() -> None:
    """It carries the fleet's tags from then on, so that the fleet finds it as the address of its member."""
    account = Account()
    allocation = allocate(account)
    run(account, {"name": "web-1", "address": allocation}, fleet="shop")
    assert account.addresses[allocation]["Tags"] == {"steadfast:fleet": "shop", "steadfast:name": "web-1", "Name": "web-1"}
    with pytest.raises(Refused, match="has its place in a fleet"):
        run(account, {"name": "entry", "address": allocation})
    with pytest.raises(Refused, match="has its place in a fleet"):
        run(account, {"name": "web-2", "address": allocation}, fleet="shop")


def test_a_name_that_another_address_has_is_not_taken_from_it() -> None:
    """Two addresses never share a name."""
    account = Account()
    run(account, {"name": "entry"})
    other = allocate(account)
    with pytest.raises(Refused, match="another address has this name"):
        run(account, {"name": "entry", "address": other})


def test_an_address_that_is_nobodys() -> None:
    """What is not in the account is refused to be taken over, and is already absent."""
    account = Account()
    with pytest.raises(NotFound, match="not in the account"):
        run(account, {"name": "entry", "address": "203.0.113.7"})
    assert not run(account, {"name": "entry", "address": "203.0.113.7", "state": "absent"}).plan.changed
    with pytest.raises(InvalidInput, match="is not an address"):
        declare.elastic_ip({"name": "entry", "address": "entry.example.org"})


def test_an_address_taken_over_can_be_released_at_once() -> None:
    """absent means the address that is named, whatever it was called."""
    account = Account()
    allocation = allocate(account, Name="old")
    run(account, {"name": "entry", "address": allocation, "state": "absent"})
    assert account.addresses == {}


def test_the_address_that_an_instance_has_is_not_pushed_off() -> None:
    """AWS would take it off without asking; it is named instead, before anything is done."""
    account = Account()
    web = launch(account, "web")
    run(account, {"name": "old", "instance": "web"})
    for again in range(2):
        with pytest.raises(Refused) as caught:
            run(account, {"name": "new", "instance": "web"})
        assert "192.0.2.1" in caught.value.message
        assert where(account).get("old") == web
        assert account.calls.count("AllocateAddress") == 1 + again
        allocate(account, Name="new") if not again else None


def test_two_addresses_change_places_in_one_run() -> None:
    """Where the one that is there is declared to leave, nothing is in the way."""
    account = Account()
    web, spare = launch(account, "web"), launch(account, "spare")
    run(account, {"name": "a", "instance": "web"}, {"name": "b", "instance": "spare"})
    run(account, {"name": "a", "instance": "spare"}, {"name": "b", "instance": "web"})
    assert where(account) == {"a": spare, "b": web}


def test_an_address_of_a_gateway_is_not_torn_off() -> None:
    """It points to an interface that is no instance's: only an explicit "" takes it off there."""
    account = Account()
    launch(account, "web")
    run(account, {"name": "entry"})
    [address] = account.addresses.values()
    address["AssociationId"] = "eipassoc-nat"
    with pytest.raises(Refused, match="belongs to no instance"):
        run(account, {"name": "entry", "instance": "web"})
    address["InstanceId"] = None
    run(account, {"name": "entry", "instance": ""})
    assert "AssociationId" not in address


def on(account: Account) -> dict[str, tuple[str | None, str | None]]:
    """{Name tag: the interface and the private address that the address points to}"""
    return {
        one["Tags"].get("Name", "-"): (one.get("NetworkInterfaceId"), one.get("PrivateIpAddress")) for one in account.addresses.values()
    }


def test_an_address_on_an_interface_that_belongs_to_no_instance() -> None:
    """By id or Name tag, to any of its private addresses, moved to another interface and to an instance, taken off, released."""
    account = Account()
    first, second = account.add_interface("10.0.0.5", "10.0.0.6", name="one"), account.add_interface("10.0.0.7")
    launch(account, "web")
    steps: list[tuple[dict[str, Any], tuple[str | None, str | None]]] = [
        ({"network_interface": "one"}, (first, "10.0.0.5")),
        ({"network_interface": first, "private_ip": "10.0.0.6"}, (first, "10.0.0.6")),
        ({"network_interface": second}, (second, "10.0.0.7")),
        ({"network_interface": ""}, (None, None)),
        ({"network_interface": second}, (second, "10.0.0.7")),
    ]
    for options, expected in steps:
        wish = {"name": "entry", **options}
        check, done = run(account, wish, check=True), run(account, wish)
        assert (check.plan.to_result()["diff"], on(account)) == (done.plan.to_result()["diff"], {"entry": expected})
        assert not run(account, wish).plan.changed
    with pytest.raises(Refused, match="belongs to no instance"):
        run(account, {"name": "entry", "instance": "web"})
    run(account, {"name": "entry", "state": "absent"})
    assert account.addresses == {}
    assert account.calls.count("AllocateAddress") == 1


def test_several_addresses_on_one_interface() -> None:
    """Each private address can have a public one; the one that is there is not pushed off, unless it is declared to leave."""
    account = Account()
    interface = account.add_interface("10.0.0.5", "10.0.0.6")
    both = [{"name": name, "network_interface": interface, "private_ip": ip} for name, ip in (("a", "10.0.0.5"), ("b", "10.0.0.6"))]
    run(account, *both)
    assert on(account) == {"a": (interface, "10.0.0.5"), "b": (interface, "10.0.0.6")}
    assert not run(account, *both).plan.changed
    with pytest.raises(Refused, match="its network interface has another Elastic IP"):
        run(account, {"name": "c", "network_interface": interface, "private_ip": "10.0.0.6"})
    swapped = [{**both[0], "private_ip": "10.0.0.6"}, {**both[1], "private_ip": "10.0.0.5"}]
    run(account, *swapped)
    assert on(account) == {"a": (interface, "10.0.0.6"), "b": (interface, "10.0.0.5")}


def test_the_second_interface_of_an_instance() -> None:
    """The address of each interface is its own; the instance's own address goes to its first interface, which AWS does not choose."""
    account = Account()
    web = launch(account, "web")
    second = account.add_interface("10.0.1.5", instance=web)
    wishes = [{"name": "inner", "network_interface": second}, {"name": "entry", "instance": "web"}]
    run(account, *wishes)
    assert {name: place[0] for name, place in on(account).items()} == {"inner": second, "entry": f"eni-{web}"}
    assert not run(account, *wishes).plan.changed


def test_an_address_on_an_interface_is_adopted_into_a_fleet() -> None:
    """Whatever its Name tag says: it is on the interface that it is declared for. Only tags are put on it."""
    account = Account()
    interface = account.add_interface("10.0.0.5")
    run(account, {"name": "by hand", "network_interface": interface})
    wish = declare.elastic_ip({"name": "entry", "network_interface": interface})
    declared = Declaration(fleet="shop", elastic_ips=(wish,), adopt=True)
    del account.calls[:]
    reconcile(Fleet(declared, Api(account), LIMITS), False)
    assert [call for call in account.calls if not call.startswith("Describe")] == ["CreateTags"]
    assert not reconcile(Fleet(declared, Api(account), LIMITS), False).plan.changed


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"network_interface": "eni-0gone"}, "the network interface does not exist"),
        ({"network_interface": "one", "private_ip": "10.0.0.9"}, "has no such private address"),
        ({"network_interface": "twin"}, "2 of that name exist"),
    ],
)
def test_an_interface_that_cannot_be_meant(options: dict[str, Any], why: str) -> None:
    """Refused before an address is allocated for it."""
    account = Account()
    account.add_interface("10.0.0.5", name="one")
    account.add_interface("10.0.0.6", name="twin")
    account.add_interface("10.0.0.7", name="twin")
    with pytest.raises(SteadfastError, match=why):
        run(account, {"name": "entry", **options})
    assert "AllocateAddress" not in account.calls
    with pytest.raises(InvalidInput, match="does not say where"):
        declare.elastic_ip({"name": "entry", "private_ip": "10.0.0.5"})

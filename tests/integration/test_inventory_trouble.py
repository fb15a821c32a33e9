# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin where AWS is slow, forgetful, says no, or has things in it that nobody expects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.inventory import Inventory, plain
from tests.support.replay import Account, Call, Replay, Trouble, identifier

TWO = ("us-east-1", "eu-central-1")
THROTTLED = Trouble("RequestLimitExceeded", 503, "Request limit exceeded.")
DENIED = Trouble("UnauthorizedOperation", 403, "You are not authorized to perform this operation.")


def always(trouble: Trouble, action: str, region: str | None = None, numbers: tuple[int, ...] = ()) -> Callable[[Call], Trouble | None]:
    """This trouble for each call of an action; only in one region, or only for the calls with these numbers."""

    def decide(call: Call) -> Trouble | None:
        meant = call.action == action and (region is None or call.region == region) and (not numbers or call.number in numbers)
        return trouble if meant else None

    return decide


def test_throttling_in_the_middle_of_paging_costs_time_and_nothing_else(tmp_path: Path) -> None:
    """The second page is refused twice; every host is there, and nothing is warned of."""
    trouble = always(THROTTLED, "DescribeInstances", numbers=(2, 3))
    with Replay(Account(instances=25), trouble, page=10) as endpoint:
        done = Inventory(tmp_path / "aws.yml", endpoint).listing()
        assert endpoint.actions().count("DescribeInstances") == 3 + 2
    assert len(json.loads(done.stdout)["_meta"]["hostvars"]) == 25
    assert done.stderr == ""


def test_a_place_in_the_list_that_is_forgotten_means_to_begin_again(tmp_path: Path) -> None:
    """An expired token for the next page: each host is there once."""
    trouble = always(Trouble("InvalidNextToken", message="The token is expired."), "DescribeInstances", numbers=(3,))
    with Replay(Account(instances=25), trouble, page=10) as endpoint:
        assert len(Inventory(tmp_path / "aws.yml", endpoint).hosts()) == 25
        assert endpoint.actions().count("DescribeInstances") == 3 + 3


#: What each region but the first says to DescribeInstances, and a word of the warning about it.
REFUSALS = {
    "eu-central-1": (DENIED, "ec2:DescribeInstances"),
    "eu-west-1": (Trouble("AuthFailure", 401, "AWS was not able to validate the provided access credentials"), "opted in"),
    "eu-west-2": (Trouble("OptInRequired", 401, "You are not subscribed to this service."), "OptInRequired"),
    "eu-west-3": (Trouble("InternalError", 500, "An internal error has occurred"), "InternalError"),
    "sa-east-1": (Trouble(silence=30), "did not answer in time"),
}


@pytest.fixture(scope="module")
def with_refusals(tmp_path_factory: pytest.TempPathFactory) -> CompletedProcess[str]:
    """The inventory of an account in which one region of six answers; all others have their troubles at the same time."""

    def decide(call: Call) -> Trouble | None:
        return REFUSALS[call.region][0] if call.region in REFUSALS and call.action == "DescribeInstances" else None

    regions = ("us-east-1", *REFUSALS)
    with Replay(Account(12, regions), decide) as endpoint:
        return Inventory(tmp_path_factory.mktemp("refusals") / "aws.yml", endpoint, regions=list(regions), timeout=1).listing()


def test_regions_that_fail_do_not_cost_the_others(with_refusals: CompletedProcess[str]) -> None:
    """The hosts of the one that answers are there, with all that belongs to them."""
    hosts = json.loads(with_refusals.stdout, object_hook=plain)["_meta"]["hostvars"]
    assert [host["ec2"]["region"] for host in hosts.values()] == ["us-east-1", "us-east-1"]
    assert [set(host["ec2"]["volumes"]) for host in hosts.values()] == [{"root", "images"}] * 2


@pytest.mark.parametrize("region", REFUSALS)
def test_a_region_that_fails_is_named_with_the_reason(with_refusals: CompletedProcess[str], region: str) -> None:
    """Denied, not opted in, broken, or silent for longer than `timeout` in each attempt: one warning each."""
    warnings = [" ".join(text.split()) for text in with_refusals.stderr.split("[WARNING]")]
    (own,) = [text for text in warnings if f"left out {region}:" in text]
    assert REFUSALS[region][1] in own


@pytest.mark.parametrize("policy", ["fail", "warn", "skip"])
def test_where_no_region_answers_there_is_no_inventory(tmp_path: Path, policy: str) -> None:
    """An empty inventory would look like an account without machines."""
    with Replay(Account(4, TWO), always(DENIED, "DescribeInstances")) as endpoint:
        assert "ec2:DescribeInstances" in Inventory(tmp_path / "aws.yml", endpoint, regions=list(TWO), failed_regions=policy).error()


def test_a_detail_that_is_denied_is_missing_and_named(tmp_path: Path) -> None:
    """The hosts are there, with what the instance itself tells about its volumes."""
    with Replay(Account(2), always(DENIED, "DescribeVolumes")) as endpoint:
        done = Inventory(tmp_path / "aws.yml", endpoint).listing()
    hosts = json.loads(done.stdout, object_hook=plain)["_meta"]["hostvars"]
    assert {volume["device"] for host in hosts.values() for volume in host["ec2"]["volumes"].values()} == {"/dev/xvda", "/dev/sdf"}
    text = " ".join(done.stderr.split())
    assert "us-east-1: volumes are missing" in text
    assert "ec2:DescribeVolumes" in text


def test_what_is_gone_between_two_calls_is_no_error(tmp_path: Path) -> None:
    """An instance whose volumes and image are no longer listed is a host without them."""
    with Replay(Account(2, volumes=False)) as endpoint:
        hosts = Inventory(tmp_path / "aws.yml", endpoint).hosts()
    assert len(hosts) == 2
    assert {volume.get("size") for host in hosts.values() for volume in host["ec2"]["volumes"].values()} == {None}


def test_twenty_instances_with_one_name_are_twenty_hosts(tmp_path: Path) -> None:
    """None gets lost, each is called by its id too, and one warning says why."""
    with Replay(Account(20, tags=lambda number: {"Name": "web"})) as endpoint:
        done = Inventory(tmp_path / "aws.yml", endpoint).listing()
    hosts = json.loads(done.stdout, object_hook=plain)["_meta"]["hostvars"]
    assert sorted(hosts) == sorted(f"web-{identifier('i', number).removeprefix('i-')}" for number in range(20))
    assert "20 instances are called web" in " ".join(done.stderr.split())


def test_names_of_all_kinds_are_host_names(tmp_path: Path) -> None:
    """Spaces and signs become underscores, letters of any alphabet stay; without a name it is the id."""
    tags = [
        {"Name": "my web, server"},
        {"Name": "café-東京"},
        {"Name": ""},
        {},
        {"Name": "{{ lookup('pipe', 'id') }}"},
        {"Name": "localhost"},
        {"Name": "role_web", "Role": "web"},
        {"Name": ".."},
    ]
    with Replay(Account(8, tags=lambda number: tags[number])) as endpoint:
        hosts = Inventory(tmp_path / "aws.yml", endpoint).hosts()
    nameless = [identifier("i", number) for number in (2, 3)]
    kept = [f"{name}-{identifier('i', number).removeprefix('i-')}" for name, number in (("localhost", 5), ("role_web", 6))]
    assert set(hosts) == {"my_web__server", "café-東京", *nameless, "___lookup__pipe____id_____", *kept, "__"}


def test_tags_cannot_become_variables_of_their_own(tmp_path: Path) -> None:
    """Whoever may set a tag cannot say where and how Ansible connects; Ansible has nothing to warn of either."""
    tags = {"Name": "web", "ansible_host": "192.0.2.66", "ansible_connection": "local", "tags": "all", "environment": "x", "hosts": "y"}
    with Replay(Account(1, tags=lambda number: tags)) as endpoint:
        done = Inventory(tmp_path / "aws.yml", endpoint, connect_with=["private_ip"]).listing()
    web = json.loads(done.stdout, object_hook=plain)["_meta"]["hostvars"]["web"]
    assert (web["ansible_host"], web.get("ansible_connection"), web["ec2"]["tags"]) == ("10.0.0.0", None, tags)
    assert set(web) & set(tags) == {"ansible_host"}
    assert done.stderr == ""


def test_fifty_tags_are_fifty_tags(tmp_path: Path) -> None:
    """As many as AWS allows, with everything in them that it allows."""
    tags = {"Name": "web", **{f"team:key {number}/é": f"<value> & {number} = {{{{ x }}}}" for number in range(49)}}
    with Replay(Account(1, tags=lambda number: tags)) as endpoint:
        assert Inventory(tmp_path / "aws.yml", endpoint).hosts()["web"]["ec2"]["tags"] == tags


def test_filters_are_told_apart_without_further_calls(tmp_path: Path) -> None:
    """Two that include and one that excludes: one question for instances."""
    chosen = {"include_filters": [{"tag:Role": "web"}, {"tag:Role": "db"}], "exclude_filters": [{"tag:Environment": ["test", "pr*"]}]}
    with Replay(Account(24)) as endpoint:
        hosts = Inventory(tmp_path / "aws.yml", endpoint, **chosen).hosts()
        assert endpoint.actions().count("DescribeInstances") == 1
    found = {(host["ec2"]["tags"]["Role"], host["ec2"]["tags"]["Environment"]) for host in hosts.values()}
    assert found == {("web", "dev"), ("db", "dev")}


def test_only_what_is_wanted_is_asked(tmp_path: Path) -> None:
    """Without details and with a given user one call a region is enough."""
    with Replay(Account(2)) as endpoint:
        Inventory(tmp_path / "aws.yml", endpoint, details=[]).hosts()
        assert endpoint.actions() == ["DescribeInstances"]


def test_a_region_without_instances_is_asked_one_question(tmp_path: Path) -> None:
    """Most accounts use three of seventeen regions."""
    with Replay(Account(2)) as endpoint:
        Inventory(tmp_path / "aws.yml", endpoint, regions=["us-east-1", "sa-east-1", "eu-west-1"]).hosts()
        asked = sorted(call.region for call in endpoint.calls)
    assert asked == ["eu-west-1", "sa-east-1", *["us-east-1"] * 5]


def test_hosts_can_be_limited_and_written_for_other_tools(tmp_path: Path) -> None:
    """By a group of the inventory's own; the export has the hosts and their variables too."""
    with Replay(Account(4)) as endpoint:
        inventory = Inventory(tmp_path / "aws.yml", endpoint)
        done = inventory.run("ansible-inventory", "--list", "--export", "--limit", "role_db")
    found = json.loads(done.stdout, object_hook=plain)
    assert list(found["_meta"]["hostvars"]) == ["db-test-1"]
    assert found["_meta"]["hostvars"]["db-test-1"]["ec2"]["tags"]["Role"] == "db"


def test_what_cannot_be_evaluated_is_an_error_where_it_is_strict(tmp_path: Path) -> None:
    """With the host and the words of the expression; without `strict` the host is there without the variable."""
    options = {"compose": {"owner": "ec2.tags.Nobody"}}
    with Replay(Account(1)) as endpoint:
        message = " ".join(Inventory(tmp_path / "strict.yml", endpoint, strict=True, **options).error().split())
        hosts = Inventory(tmp_path / "lenient.yml", endpoint, **options).hosts()
    assert "Could not set owner for host web-dev-0" in message
    assert "Nobody" in message
    assert "owner" not in hosts["web-dev-0"]


def test_accounts_are_asked_together_and_hosts_say_whose_they_are(tmp_path: Path) -> None:
    """Two roles and the account itself; the one that may not be entered is named and does not cost the others."""

    def refuse(call: Call) -> Trouble | None:
        refused = call.action == "AssumeRole" and "333" in call.params["RoleArn"]
        return Trouble("AccessDenied", 403, "is not authorized to perform: sts:AssumeRole") if refused else None

    roles = {name: f"arn:aws:iam::{name * 4}:role/look" for name in ("111", "222", "333")}
    accounts = [{"name": f"shop-{name}", "role_arn": arn} for name, arn in roles.items()]
    with Replay(Account(1), refuse) as endpoint:
        done = Inventory(tmp_path / "aws.yml", endpoint, accounts=accounts, hostnames=["{{ ec2.tags.Name }}.{{ ec2.account }}"]).listing()
        keys = {call.access_key for call in endpoint.calls if call.action == "DescribeInstances"}
    assert keys == {"ASIA111111111111", "ASIA222222222222"}
    text = " ".join(done.stderr.split())
    assert "left out shop-333" in text
    assert "sts:AssumeRole" in text


def test_an_incomplete_inventory_is_not_remembered(tmp_path: Path) -> None:
    """The next run asks again; once it is complete, the cache answers, also where nobody listens any more."""
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    trouble = always(DENIED, "DescribeInstances", "eu-central-1", numbers=(1,))
    with Replay(Account(4, TWO), trouble) as endpoint:
        inventory = Inventory(tmp_path / "aws.yml", endpoint, regions=list(TWO), **cached)
        assert len(inventory.hosts()) == 2
        assert len(inventory.hosts()) == 4
        count = len(endpoint.calls)
        assert len(inventory.hosts()) == 4
        assert endpoint.actions(count) == []
        inventory.run("ansible-inventory", "--list", "--flush-cache")
        assert "DescribeInstances" in endpoint.actions(count)
    assert len(inventory.hosts()) == 4


def test_a_cache_in_which_a_region_may_be_missing_is_not_for_those_who_want_all(tmp_path: Path) -> None:
    """What `failed_regions: skip` has kept is no answer to `fail`."""
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    with Replay(Account(4, TWO), always(DENIED, "DescribeInstances", "eu-central-1")) as endpoint:
        assert len(Inventory(tmp_path / "aws.yml", endpoint, regions=list(TWO), failed_regions="skip", **cached).hosts()) == 2
        message = Inventory(tmp_path / "aws.yml", endpoint, regions=list(TWO), failed_regions="fail", **cached).error()
    assert "eu-central-1" in message


@pytest.mark.parametrize("form", ["ec2", "flat"])
def test_a_second_source_takes_no_name_that_another_machine_has(tmp_path: Path, form: str) -> None:
    """Two files in one run, each with a machine called web: two hosts, and a warning. Whatever form their variables have."""
    regions = ("us-east-1", "eu-central-1")
    with Replay(Account(2, regions, tags=lambda number: {"Name": "web"})) as endpoint:
        first, second = (Inventory(tmp_path / f"{name}.yml", endpoint, regions=[name], variables=[form]) for name in regions)
        done = first.run("ansible-inventory", "-i", str(second.path), "--list")
    hosts = json.loads(done.stdout, object_hook=plain)["_meta"]["hostvars"]
    assert set(hosts) == {"web", f"web-{identifier('i', 1).removeprefix('i-')}"}
    assert "called web, as one of another source" in " ".join(done.stderr.split())


def test_a_cache_that_is_not_ours_is_asked_anew(tmp_path: Path) -> None:
    """Whatever is in the cache under our name, in whatever form it is kept, there is no traceback and no wrong host."""
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    with Replay(Account(2)) as endpoint:
        inventory = Inventory(tmp_path / "aws.yml", endpoint, **cached)
        inventory.hosts()
        (file,) = (tmp_path / "cache").iterdir()
        good = file.read_text()
        for other in ('{"something": "else"}', "[]", good.replace("tags", "gats")):
            file.write_text(other)
            asked = len(endpoint.calls)
            assert sorted(inventory.hosts()) == ["db-test-1", "web-dev-0"]
            assert "DescribeInstances" in endpoint.actions(asked)


def test_strings_from_the_cache_are_not_templates_either(tmp_path: Path) -> None:
    """The way through a file does not make a tag trusted."""
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    with Replay(Account(1, tags=lambda number: {"Name": "web", "Note": "{{ 6 * 7 }}"})) as endpoint:
        inventory = Inventory(tmp_path / "aws.yml", endpoint, keyed_groups=[{"key": "ec2.tags.Note", "prefix": "note"}], **cached)
        inventory.hosts()
        said = inventory.run("ansible", "web", "-c", "local", "-m", "debug", "-a", "msg={{ ec2.tags.Note }}{{ ec2.tags['Note'] | upper }}")
    assert "{{ 6 * 7 }}{{ 6 * 7 }}" in said.stdout


@pytest.mark.parametrize(
    ("options", "without", "words"),
    [
        ({"filter": {"tag:Role": "web"}}, [], ["filter:", "no such option", "filters"]),
        ({"hostnames": ["dns"]}, [], ["hostnames: dns", "private-dns-name"]),
        ({"accounts": [{"role": "x"}]}, [], ["accounts: entry 1: role", "role_arn"]),
        ({"regions": ["all", "us-east-1"]}, [], ["regions", "nothing beside it"]),
        ({}, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], ["there are no credentials", "AWS_PROFILE"]),
        ({}, ["AWS_DEFAULT_REGION"], ["there is no region", "AWS_REGION"]),
        ({"regions": ["us east 1"]}, [], ["us east 1"]),
        ({"accounts": [{"profile": "x", "regions": {"us-east-1": True}}]}, [], ["entry 1: regions", "list of names"]),
        ({"timeout": 0}, [], ["timeout", "at least 1 second"]),
        ({"regions": [None]}, [], ["regions", "list of names"]),
        ({"port": 99999}, [], ["port", "1 to 65535"]),
        ({"group_by": [None]}, [], ["group_by", "neither an attribute nor a tag"]),
        ({"hostnames": ["{{ ec2.tags.Name"]}, [], ["hostnames: {{ ec2.tags.Name", "cannot be read"]),
        ({"endpoint_url": "127.0.0.1:80"}, [], ["endpoint_url", "is no URL", "http://"]),
    ],
)
def test_what_cannot_work_is_said_before_any_call(tmp_path: Path, options: dict[str, object], without: list[str], words: list[str]) -> None:
    """One message with what is wrong and what to do; no traceback, no call."""
    with Replay(Account(1)) as endpoint:
        inventory = Inventory(tmp_path / "aws.yml", endpoint, **options)
        inventory.environment = {name: value for name, value in inventory.environment.items() if name not in without}
        message = " ".join(inventory.error().split())
        assert endpoint.actions() == []
    assert [word for word in words if word not in message] == []
    assert "Traceback" not in message


def test_an_expired_token_says_how_to_go_on(tmp_path: Path) -> None:
    """Every region says the same; it is said once."""
    expired = Trouble("RequestExpired", 400, "Request has expired.")
    with Replay(Account(1, TWO), lambda call: expired) as endpoint:
        message = " ".join(Inventory(tmp_path / "aws.yml", endpoint, regions=list(TWO)).error().split())
    assert "aws sso login" in message


def test_the_time_of_each_region_is_told_with_vv(tmp_path: Path) -> None:
    """Instances, calls, repetitions and seconds, region by region."""
    with Replay(Account(4, TWO)) as endpoint:
        said = Inventory(tmp_path / "aws.yml", endpoint, regions=["all"]).run("ansible-inventory", "--graph", "-vv").stdout
    for region in TWO:
        assert f"steadfast.ec2.instances: {region}: 2 instances, " in said

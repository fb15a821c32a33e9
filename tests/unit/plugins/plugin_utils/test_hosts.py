# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From instances to inventory hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput
from ansible_collections.steadfast.ec2.plugins.plugin_utils.hosts import (
    Reach,
    check_group_by,
    check_hostnames,
    groups,
    image_user,
    names,
)
from hypothesis import given
from hypothesis import strategies as st

REACH = Reach(connect_with=["public_ip"], user=None, key_file=None)


def instance(number: int = 1, **facts: Any) -> dict[str, Any]:
    """An instance as facts.instance gives it, with `facts` in it."""
    plain = {"id": f"i-{number}", "name": None, "member": None, "fleet": None, "tags": {}, "key_pair": None, "image_id": "ami-1"}
    return {**plain, **facts}


@pytest.mark.parametrize(
    ("how", "facts", "name"),
    [
        ("name", {"member": "web-1", "name": "renamed"}, "web-1"),
        ("name", {"name": "web"}, "web"),
        ("name", {}, "i-1"),
        ("name", {"name": "my web, server"}, "my_web__server"),
        ("name", {"name": "{{ lookup('pipe', 'id') }}"}, "___lookup__pipe____id_____"),
        ("fleet", {"member": "web-1", "fleet": "moso-dev-nvir"}, "web-1.moso-dev-nvir"),
        ("fleet", {"name": "web"}, "web"),
        ("id", {"name": "web"}, "i-1"),
    ],
)
def test_a_host_is_called_by_its_name_in_the_fleet_or_else_its_tag_or_else_its_id(how: str, facts: dict[str, Any], name: str) -> None:
    """The most telling name that there is, without characters that mean something in a host pattern."""
    assert names([instance(**facts)], [how]).by_id == {"i-1": name}


def test_instances_that_share_a_name_all_get_their_id_behind_it() -> None:
    """Neither of two may pass for the other, whichever came first."""
    twins = [instance(1, name="db"), instance(2, name="db"), instance(3, name="web")]
    assert names(twins, ["name"]).by_id == {"i-1": "db-1", "i-2": "db-2", "i-3": "web"}


def test_where_a_group_has_the_name_the_fleet_comes_behind_it() -> None:
    """A member `web` and a group `web` go together; so do members of the same name in two fleets."""
    members = [instance(1, member="web", fleet="dev"), instance(2, member="web", fleet="prod"), instance(3, member="db", fleet="dev")]
    assert names(members, ["name"], {"db"}).by_id == {"i-1": "web.dev", "i-2": "web.prod", "i-3": "db.dev"}


@pytest.mark.parametrize("name", ["localhost", "all", "ungrouped"])
def test_a_tag_cannot_take_the_place_of_what_means_something_to_ansible(name: str) -> None:
    """An instance tagged `localhost` is not the control node."""
    assert names([instance(name=name)], ["name"]).by_id == {"i-1": f"{name}-1"}


@pytest.mark.parametrize(
    ("name", "host"), [("..", "__"), (".", "_"), ("../web", "___web"), ("-oProxyJump", "_oProxyJump"), ("a.b-c", "a.b-c")]
)
def test_a_tag_cannot_make_a_path_or_an_option_of_a_host_name(name: str, host: str) -> None:
    """`host_vars/..` would be every file beside the inventory, with the passwords of other groups in them."""
    assert names([instance(name=name)], ["name"]).by_id == {"i-1": host}


@pytest.mark.parametrize("one", [None, "", "dns", "tag:", {"name": "tag:Name", "prefix": "x"}, "{{ ec2.tags.Name", "{% if %}"])
def test_what_names_no_host_is_refused(one: Any) -> None:
    """Also what aws_ec2 knows as a mapping, and a template that cannot be read."""
    with pytest.raises(InvalidInput, match="hostnames: "):
        check_hostnames(["name", one])


@pytest.mark.parametrize("kind", [None, "", 5])
def test_what_is_no_attribute_and_no_tag_makes_no_group(kind: Any) -> None:
    """It is refused, and its place in the list is not passed over."""
    with pytest.raises(InvalidInput, match="group_by: "):
        check_group_by(["fleet", kind])


@given(st.lists(st.sampled_from(["web", "web-1", "web 1", "web_1", "localhost", ""]), max_size=8), st.randoms())
def test_names_are_unique_and_do_not_depend_on_the_order(tags: list[str], random: Any) -> None:
    """The same instances always get the same names, one each."""
    instances = [instance(number, id=f"i-{number:017x}", name=tag or None) for number, tag in enumerate(tags)]
    found = names(instances, ["name"]).by_id
    random.shuffle(instances)
    assert names(instances, ["name"]).by_id == found
    assert len(set(found.values())) == len(instances)


@pytest.mark.parametrize(
    ("image", "user"),
    [
        ("debian-12-amd64-20260115-0001", "admin"),
        ("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101", "ubuntu"),
        ("al2023-ami-2023.6.20260101.0-kernel-6.1-x86_64", "ec2-user"),
        ("amzn2-ami-kernel-5.10-hvm-2.0.20260101.0-x86_64-gp2", "ec2-user"),
        ("RHEL-9.4.0_HVM-20260101-x86_64-0-Hourly2-GP3", "ec2-user"),
        ("our-own-image", None),
        ("", None),
    ],
)
def test_the_user_follows_from_the_image(image: str, user: str | None) -> None:
    """Each publisher's login user; nothing is guessed for an image that is not known."""
    assert image_user(image) == user


def test_a_given_user_counts_before_a_tag_and_a_tag_before_the_image() -> None:
    """What is said more explicitly wins."""
    tagged, images = instance(tags={"steadfast:user": "deploy"}), {"ami-1": "debian-12-amd64-1"}
    given_user = Reach(connect_with=["public_ip"], user="root", key_file=None)
    found = [reach.variables(one, images)["ansible_user"] for reach, one in ((given_user, tagged), (REACH, tagged), (REACH, instance()))]
    assert found == ["root", "deploy", "admin"]


def test_the_address_is_the_first_that_there_is_in_order_of_preference() -> None:
    """A machine without a public address is reached by what is named next, or not at all."""
    private = instance(public_ip=None, private_ip="10.0.0.7")
    both = Reach(connect_with=["public_ip", "private_ip"], user=None, key_file=None)
    assert both.variables(private, {}) == {"ansible_host": "10.0.0.7"}
    assert REACH.variables(private, {}) == {}


def test_the_key_file_is_named_after_the_key_pair_and_used_only_if_it_is_there(tmp_path: Path) -> None:
    """No file, no variable: ssh then looks for a key in its own places."""
    reach = Reach(connect_with=[], user=None, key_file=f"{tmp_path}/{{key_pair}}.pem")
    own = instance(key_pair="Moso-dev-nvir")
    assert reach.variables(own, {}) == {}
    (tmp_path / "Moso-dev-nvir.pem").touch()
    assert reach.variables(own, {}) == {"ansible_ssh_private_key_file": f"{tmp_path}/Moso-dev-nvir.pem"}


def test_a_key_pair_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    """A name with a slash in it is not used as a path."""
    (tmp_path / "other.pem").touch()
    (tmp_path / "keys").mkdir()
    reach = Reach(connect_with=[], user=None, key_file=f"{tmp_path}/keys/{{key_pair}}.pem")
    assert reach.variables(instance(key_pair="../other"), {}) == {}


def test_groups_are_made_from_attributes_and_tags_in_any_case() -> None:
    """`Project` and `project` are the same tag; what is not there makes no group."""
    web = instance(zone="us-east-1a", fleet="moso-dev-nvir", tags={"Project": "Moso", "role": "web"})
    expected = ["fleet_moso_dev_nvir", "project_moso", "role_web", "zone_us_east_1a"]
    assert groups(web, ["fleet", "project", "environment", "role", "zone"]) == expected

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin beside amazon.aws.aws_ec2 in the same account: what is the same, and what is different on purpose.

docs/inventory.md lists the differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.inventory import Inventory
from tests.support.peers import amazon_aws
from tests.support.sandbox import Sandbox, api_only_sandbox, eventually

#: Ours, so that it gives what theirs gives by default and nothing more.
AS_THEIRS: dict[str, Any] = {
    "variables": ["flat"],
    "hostnames": ["dns-name", "private-dns-name"],
    "states": ["pending", "running", "stopping", "stopped"],
    "connect_with": [],
    "group_by": [],
    "details": [],
    "groups": {"aws_ec2": "true"},
}
MACHINES: dict[str, dict[str, str]] = {
    "web-1": {"Role": "web", "Environment": "prod", "Owner": "ada", "Alias": "front"},
    "web-2": {"Role": "web", "Environment": "dev"},
    "db-1": {"Role": "db", "Environment": "prod", "Note": "{{ 6 * 7 }}"},
    "db-2": {"Role": "db", "Environment": "dev", "Owner": "grace hopper"},
    "asleep": {"Role": "web", "Environment": "dev"},
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "nothing but the region": {},
    "names from a tag": {"hostnames": ["tag:Name"]},
    "names with fallback": {"hostnames": ["tag:Alias", "private-ip-address"]},
    "one filter": {"filters": {"tag:Role": "web"}},
    "a filter with wildcards": {"filters": {"tag:Name": ["web-?", "*b-1"]}},
    "a filter for states": {"filters": {"instance-state-name": "stopped"}},
    "filters that include": {"include_filters": [{"tag:Role": ["web"]}, {"tag:Environment": ["prod"]}]},
    "filters that include and one that does": {"filters": {"tag:Name": "db-2"}, "include_filters": [{"tag:Owner": ["*"]}]},
    "filters that exclude": {"exclude_filters": [{"tag:Role": ["db"], "tag:Environment": ["dev"]}, {"tag:Name": ["web-2"]}]},
    "variables with a prefix": {"hostvars_prefix": "aws_", "hostvars_suffix": "_ec2"},
    "keyed groups": {
        "keyed_groups": [
            {"key": "tags", "prefix": "tag"},
            {"key": "tags.Role", "separator": ""},
            {"key": "placement.region", "prefix": "region"},
            {"key": "tags.Owner", "prefix": "owner", "parent_group": "owned"},
            {"key": "tags.Owner | default('nobody')", "prefix": "of"},
            {"key": "security_groups | map(attribute='group_id') | list", "prefix": "sg"},
        ]
    },
    "groups by conditions": {
        "groups": {
            "production": "tags.Environment == 'prod'",
            "owned": "tags.Owner is defined",
            "web_or_db": "'e' in tags.Role or tags.Role == 'db'",
            "second": "tags.Name.endswith('2')",
            "broken": "no_such_variable == 1",
        }
    },
    "variables of one's own": {
        "hostnames": ["tag:Name"],
        "compose": {
            "ansible_host": "private_ip_address",
            "owner": "tags.Owner | default('nobody')",
            "copied": "tags",
            "note": "tags.Note",
            "missing": "tags.Missing",
            "wide": "instance_type | upper",
        },
    },
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Five machines, one of which is stopped."""
    with api_only_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        ec2 = sandbox.client()
        image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"][0]["ImageId"]
        ids = {}
        for name, tags in MACHINES.items():
            specification = [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in {"Name": name, **tags}.items()]}]
            launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=specification)
            ids[name] = launched["Instances"][0]["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=list(ids.values()), WaiterConfig={"Delay": 1})
        ec2.stop_instances(InstanceIds=[ids["asleep"]])
        stopped = [{"Name": "instance-state-name", "Values": ["stopped"]}]
        eventually(lambda: ec2.describe_instances(Filters=stopped)["Reservations"])
        yield sandbox


def both(account: Sandbox, folder: Path, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the two make of the same options: ours, theirs."""
    own = {**AS_THEIRS, **options, "groups": {**AS_THEIRS["groups"], **options.get("groups", {})}}
    ours = Inventory(folder / "ours.yml", account, regions=["us-east-1"], **own)
    theirs = Inventory(folder / "theirs.aws_ec2.yml", account, plugin="amazon.aws.aws_ec2", regions=["us-east-1"], **options)
    amazon_aws()
    return ours.read(), theirs.read()


@pytest.mark.long
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_hosts_groups_and_variables_are_those_of_aws_ec2(account: Sandbox, tmp_path: Path, name: str) -> None:
    """With `variables: [flat]` a file moves over by its first line, and by what AS_THEIRS says about defaults."""
    ours, theirs = both(account, tmp_path, CONFIGURATIONS[name])
    assert len(theirs["_meta"]["hostvars"]) >= 1
    assert ours["_meta"]["hostvars"] == theirs["_meta"]["hostvars"]
    assert groups(ours) == groups(theirs)


def groups(inventory: dict[str, Any]) -> dict[str, tuple[list[str], list[str]]]:
    """{group: (hosts, children)}, in no particular order."""
    found = {name: group for name, group in inventory.items() if name != "_meta"}
    return {name: (sorted(group.get("hosts", ())), sorted(group.get("children", ()))) for name, group in found.items()}


@pytest.mark.long
def test_hosts_of_one_name_are_one_host_to_aws_ec2_and_several_to_us(account: Sandbox, tmp_path: Path) -> None:
    """The difference that loses machines."""
    ours, theirs = both(account, tmp_path, {"hostnames": ["tag:Role"]})
    assert (len(ours["_meta"]["hostvars"]), len(theirs["_meta"]["hostvars"])) == (5, 2)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/iam.md says which permissions each module needs: those of the calls that it makes, no more and no less."""

from __future__ import annotations

import ast
import importlib
import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import NotConverged

from tests.support import permissions
from tests.support.sandbox import CHECKOUT, Sandbox

from .test_backups import STORIES as BACKUPS
from .test_four_ways import STORIES, WEB

PAGE = CHECKOUT / "docs" / "iam.md"
#: A fleet is made of these, so it needs what they need.
PARTS = ("key_pair", "security_group", "instance", "volume", "elastic_ip")
#: Profiles that the sandbox takes and goes on showing the one before; here it is the call that counts.
ODD = ("db", "")
#: What is called only for what the sandbox does not show: it has spot instances, but no requests for them.
UNSEEN = {"instance": {"CancelSpotInstanceRequests"}}
Steps = list[tuple[str, dict[str, Any]]]

#: What the stories of changes leave out, because it needs no second look: other ways to the same end, and what only looks.
MORE: dict[str, Steps] = {
    "instance": [
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
        ("key_pair_info", {}),
        ("security_group_info", {}),
        ("instance_info", {}),
        ("volume_info", {}),
        ("elastic_ip_info", {}),
        ("fleet_info", {"name": "shop", "tags": {"Name": "web"}}),
        ("image_info", {"owners": ["self"], "sharing": True}),
        ("snapshot_info", {"sharing": True}),
        ("availability_zone_info", {}),
        ("instance_type_info", {"names": ["t3.micro"], "zone": "use1-az1"}),
        ("caller_info", {}),
    ],
}


class Recorder:
    """Runs modules in this process and keeps what each called."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.needed: dict[str, set[str]] = defaultdict(set)
        self.operations: set[str] = set()
        self._module = ""

    def record(self, client: Client, operation: str, params: Mapping[str, Any]) -> None:
        self.operations.add(operation)
        self.needed[self._module] |= permissions.actions(client.service, operation, params)

    def run(self, steps: Steps) -> None:
        """A story from an empty account on."""
        self.sandbox.reset()
        ec2, iam = self.sandbox.client(), self.sandbox.client("iam")
        for name in ("web", "db"):
            if name not in [one["InstanceProfileName"] for one in iam.list_instance_profiles()["InstanceProfiles"]]:
                iam.create_instance_profile(InstanceProfileName=name)
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
        for module, options in steps:
            self._module = module
            self.needed[module] |= set()
            meant = {name: {"SUBNET": subnet, "IMAGE": image}.get(str(value), value) for name, value in options.items()}
            definition = definition_of(module)
            found = ArgumentSpecValidator(dict(definition.argument_spec), **definition.rules).validate(meant)
            assert found.error_messages == [], (module, options)
            with suppress(NotConverged) if options.get("iam_instance_profile") in ODD else nullcontext():
                definition.run(found.validated_parameters, False)


def definition_of(module: str) -> Any:
    """What a module is, as its action plugin has it."""
    return importlib.import_module(f"ansible_collections.steadfast.ec2.plugins.action.{module}").ActionModule.definition


@pytest.fixture(scope="module")
def recorded(ec2_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """Every story, told once."""
    recorder = Recorder(ec2_sandbox)
    original = Client._call

    def call(client: Client, raw: Any, operation: str, params: Mapping[str, Any]) -> Any:
        recorder.record(client, operation, params)
        return original(client, raw, operation, params)

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in ec2_sandbox.environment.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(Client, "_call", call)
        for stories in (MORE, BACKUPS, STORIES):
            for steps in stories.values():
                recorder.run(steps)
    for module, operations in UNSEEN.items():
        recorder.operations |= operations
        recorder.needed[module] |= {f"ec2:{operation}" for operation in operations}
    recorder.needed["fleet"].update(*(recorder.needed[part] for part in PARTS))
    return recorder


def test_the_page_says_what_the_modules_call(recorded: Recorder) -> None:
    """Every permission that a module needs is in its policy, and none that it does not."""
    made = permissions.policies(recorded.needed)
    intro, mark, written = PAGE.read_text().partition(permissions.MARK)
    if os.environ.get("STEADFAST_WRITE_DOCS"):
        PAGE.write_text(intro + made)
        return
    assert mark + written == made


def test_every_module_has_a_policy(recorded: Recorder) -> None:
    """Whatever can be given credentials is on the page."""
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())
    assert set(recorded.needed) == {str(name) for name in runtime["action_groups"]["ec2"]}


def test_no_operation_is_left_out(recorded: Recorder) -> None:
    """Each operation of EC2 that the code names was called by some story, so that the page knows of it."""
    known = set(botocore.loaders.Loader().load_service_model("ec2", "service-2")["operations"])
    named = {
        node.value
        for path in Path(CHECKOUT, "plugins", "module_utils", "ec2").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in known
    }
    assert named - recorded.operations == set()

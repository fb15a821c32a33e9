# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules run in this process, four ways or once, and the permissions that their calls need."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client

from tests.support import permissions
from tests.support.sandbox import Sandbox

from .conftest import LOOK, Answer, Step, hold_four_ways
from .stories import RuleWith


@dataclasses.dataclass
class Recorder:
    """Runs modules and keeps what each called. Each story is told once, whoever asks for it first."""

    sandbox: Sandbox
    needed: dict[str, set[str]] = dataclasses.field(default_factory=lambda: defaultdict(set))
    operations: set[str] = dataclasses.field(default_factory=set)
    told: set[str] = dataclasses.field(default_factory=set)
    _module: str = ""
    _rules: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def record(self, client: Client, operation: str, params: Mapping[str, Any]) -> None:
        self.operations.add(operation)
        self.needed[self._module] |= permissions.actions(client.service, operation, params)

    def four_ways(self, name: str, steps: list[Step], reset: bool = True) -> None:
        """Each step as check → apply → apply → check, from an empty account on."""
        if name in self.told:
            return
        self.told.add(name)
        if reset:
            self.sandbox.reset()
        for number, (module, options) in enumerate(steps):
            if module == LOOK:
                self._rules = self._run(module, options, False).result["security_groups"][0]["rule_entries"]
                continue
            four = [self._run(module, options, check) for check in (True, False, False, True)]
            hold_four_ways(f"{name} step {number}: {module} {options}", four)

    def once(self, name: str, steps: list[Step]) -> None:
        """Each step once, from an account with two instance profiles and a network interface on."""
        if name in self.told:
            return
        self.told.add(name)
        self.sandbox.reset()
        ec2 = self.sandbox.client()
        make_profiles(self.sandbox)
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        words = {
            "SUBNET": subnet,
            "IMAGE": ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"],
            "INTERFACE": ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"],
        }
        for module, options in steps:
            answer = self._run(module, {name: words.get(str(value), value) for name, value in options.items()}, False)
            assert not (module.endswith("_info") and (answer.writes or answer.result["changed"])), (module, options)
            if module == LOOK:
                self._rules = [one for group in answer.result["security_groups"] for one in group["rule_entries"]]

    def _run(self, module: str, options: dict[str, Any], check: bool) -> Answer:
        self._module = module
        self.needed[module] |= set()
        definition = definition_of(module)
        found = ArgumentSpecValidator(dict(definition.argument_spec), **definition.rules).validate(self._meant(options))
        assert found.error_messages == [], (module, options)
        since = self.sandbox.call_count
        result = definition.run(found.validated_parameters, check)
        return Answer(result, self.sandbox.calls(since))

    def _meant(self, value: Any) -> Any:
        """Options with the ids of rules where they are asked for by port."""
        if isinstance(value, RuleWith):
            return next(one["id"] for one in self._rules if one["text"].startswith(f"tcp {value.port} "))
        if isinstance(value, list):
            return [self._meant(one) for one in value]
        return {name: self._meant(one) for name, one in value.items()} if isinstance(value, dict) else value


@contextmanager
def recording(sandbox: Sandbox, home: Path) -> Iterator[Recorder]:
    """A recorder; meanwhile this process is connected to `sandbox`, and every call of a module goes through the recorder."""
    recorder = Recorder(sandbox)
    original = Client._call

    def call(client: Client, raw: Any, operation: str, params: Mapping[str, Any]) -> Any:
        recorder.record(client, operation, params)
        return original(client, raw, operation, params)

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in sandbox.environment.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.setenv("HOME", str(home))
        patch.setattr(Client, "_call", call)
        yield recorder


def make_profiles(sandbox: Sandbox) -> None:
    """Two instance profiles; they outlive a reset."""
    iam = sandbox.client("iam")
    there = [one["InstanceProfileName"] for one in iam.list_instance_profiles()["InstanceProfiles"]]
    for name in {"web", "db"} - set(there):
        iam.create_instance_profile(InstanceProfileName=name)


def definition_of(module: str) -> Any:
    """What a module is, as its action plugin has it."""
    return importlib.import_module(f"ansible_collections.steadfast.ec2.plugins.action.{module}").ActionModule.definition

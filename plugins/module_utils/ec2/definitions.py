# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The EC2 modules as data: their options, and what each of them does. A module file only documents and names one."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping

from ..aws.module import with_connection
from ..aws.role import connect
from ..engine.definition import ModuleDefinition
from ..engine.execute import Limits
from ..engine.reconcile import reconcile
from . import declare, view
from .declaration import Declaration
from .fleet import Fleet
from .instance.differences import FIXED, WHILE_STOPPED

Options = Mapping[str, Any]

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_TAGS = {"type": "dict", "aliases": ["resource_tags"]}
_RULE = {
    "id": {"type": "str", "aliases": ["rule_id", "security_group_rule_id"]},
    "state": _STATE,
    "protocol": {"type": "str", "aliases": ["proto"]},
    "ports": {"type": "list", "elements": "str"},
    "cidr": {"type": "list", "elements": "str", "aliases": ["cidr_ip", "cidr_ipv6"]},
    "group": {"type": "list", "elements": "str", "aliases": ["group_name", "group_id"]},
    "prefix_list": {"type": "list", "elements": "str", "aliases": ["ip_prefix"]},
    "icmp_type": {"type": "int"},
    "icmp_code": {"type": "int"},
    "description": {"type": "str", "aliases": ["rule_desc"]},
}
_KEY_PAIR = {
    "name": {"type": "str", "required": True},
    "key_type": {"type": "str", "choices": ["ed25519", "rsa"], "no_log": False},
    "private_key_file": {"type": "path", "no_log": False, "aliases": ["file_name"]},
    "public_key": {"type": "str", "no_log": False, "aliases": ["key_material"]},
}
_SECURITY_GROUP = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "vpc_id": {"type": "str"},
    "rules": {"type": "list", "elements": "dict", "options": _RULE},
    "egress_rules": {"type": "list", "elements": "dict", "options": _RULE, "aliases": ["rules_egress"]},
    "purge_rules": {"type": "bool", "default": True},
    "purge_egress_rules": {"type": "bool", "default": True, "aliases": ["purge_rules_egress"]},
}
_METADATA = {
    "http_tokens": {"type": "str", "choices": ["required", "optional"], "no_log": False},
    "http_endpoint": {"type": "str", "choices": ["enabled", "disabled"]},
    "http_put_response_hop_limit": {"type": "int"},
    "http_protocol_ipv6": {"type": "str", "choices": ["enabled", "disabled"]},
    "instance_metadata_tags": {"type": "str", "choices": ["enabled", "disabled"]},
}
_ON_CHANGE = {
    **{name: {"type": "str", "choices": ["refuse", "ignore", "replace"]} for name in FIXED},
    **{name: {"type": "str", "choices": ["refuse", "ignore", "restart", "replace"]} for name in WHILE_STOPPED},
}
_ROOT_VOLUME = {
    "size": {"type": "int", "aliases": ["volume_size"]},
    "type": {"type": "str", "aliases": ["volume_type"]},
    "iops": {"type": "int"},
    "throughput": {"type": "int"},
    "encrypted": {"type": "bool"},
    "kms_key_id": {"type": "str", "no_log": False},
    "delete_on_termination": {"type": "bool"},
}
_SPOT = {
    "max_price": {"type": "str"},
    "interruption_behavior": {"type": "str", "choices": ["terminate", "stop", "hibernate"]},
}
_PLACEMENT = {
    "tenancy": {"type": "str", "choices": ["default", "dedicated", "host"]},
    "group": {"type": "str", "aliases": ["group_name"]},
    "partition": {"type": "int", "aliases": ["partition_number"]},
}
_INSTANCE = {
    "name": {"type": "str", "required": True},
    "image": {"type": "raw", "aliases": ["image_id"]},
    "instance_type": {"type": "list", "elements": "str"},
    "key_pair": {"type": "str", "no_log": False, "aliases": ["key_name"]},
    "security_groups": {"type": "list", "elements": "str", "aliases": ["security_group"]},
    "zone": {"type": "list", "elements": "str", "aliases": ["zones", "availability_zone"]},
    "subnet_id": {"type": "str", "aliases": ["vpc_subnet_id"]},
    "private_ip": {"type": "str", "aliases": ["private_ip_address"]},
    "user_data": {"type": "str", "no_log": True},
    "user_data_base64": {"type": "str", "no_log": True},
    "user_data_file": {"type": "path"},
    "metadata_options": {"type": "dict", "options": _METADATA},
    "root_volume": {"type": "dict", "options": _ROOT_VOLUME},
    "iam_instance_profile": {"type": "str", "aliases": ["instance_role"]},
    "termination_protection": {"type": "bool"},
    "stop_protection": {"type": "bool"},
    "shutdown_behavior": {"type": "str", "choices": ["stop", "terminate"], "aliases": ["instance_initiated_shutdown_behavior"]},
    "monitoring": {"type": "bool", "aliases": ["detailed_monitoring"]},
    "ebs_optimized": {"type": "bool"},
    "cpu_credits": {"type": "str", "choices": ["standard", "unlimited"]},
    "placement": {"type": "dict", "options": _PLACEMENT},
    "market": {"type": "str", "choices": ["on_demand", "spot"]},
    "spot": {"type": "dict", "options": _SPOT},
    "wait_for": {"type": "str", "choices": ["running", "status_checks"]},
    "on_change": {"type": "dict", "options": _ON_CHANGE},
}
_VOLUME = {
    "name": {"type": "str", "required": True},
    "size": {"type": "int", "aliases": ["volume_size"]},
    "type": {"type": "str", "aliases": ["volume_type"]},
    "iops": {"type": "int"},
    "throughput": {"type": "int"},
    "zone": {"type": "str", "aliases": ["availability_zone"]},
    "device": {"type": "str", "aliases": ["device_name"]},
    "snapshot": {"type": "str", "aliases": ["snapshot_id"]},
    "encrypted": {"type": "bool"},
    "kms_key_id": {"type": "str", "no_log": False},
    "delete_on_termination": {"type": "bool"},
    "multi_attach": {"type": "bool", "aliases": ["multi_attach_enabled"]},
    "force_detach": {"type": "bool", "default": False},
}
_ONE_USER_DATA = [("user_data", "user_data_base64", "user_data_file")]
_INSTANCE_STATES = ["present", "running", "stopped", "restarted", "absent"]


def _part(options: Options, **more: Any) -> Dict[str, Any]:
    """Options as one entry of a list in a fleet."""
    return {"type": "list", "elements": "dict", "options": {**options, "tags": _TAGS, "state": _STATE, **more}}


_MEMBER_VOLUME = {name: option for name, option in _VOLUME.items() if name != "zone"}
_MEMBER = {
    "count": {"type": "int"},
    "elastic_ip": {"type": "bool"},
    "volumes": _part(_MEMBER_VOLUME),
    "state": {"type": "str", "choices": ["present", "running", "stopped", "absent"], "default": "present"},
}
_FLEET = {
    "name": {"type": "str", "required": True},
    "state": _STATE,
    "tags": _TAGS,
    "purge_tags": {"type": "bool", "default": True},
    "key_pairs": {**_part(_KEY_PAIR), "no_log": False},
    "security_groups": _part(_SECURITY_GROUP),
    "instances": {**_part(_INSTANCE, **_MEMBER), "mutually_exclusive": _ONE_USER_DATA},
    "prune": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
    "delete_volumes": {"type": "raw", "default": False},
    "max_deletions": {"type": "int"},
    "my_ip": {"type": "str"},
    "wait_timeout": {"type": "int", "default": 600},
}


def _alone(options: Options, **more: Any) -> Dict[str, Any]:
    """Options as a module of its own."""
    common = {
        "fleet": {"type": "str"},
        "adopt": {"type": "bool", "default": False},
        "tags": _TAGS,
        "purge_tags": {"type": "bool", "default": True},
        "state": _STATE,
        "wait_timeout": {"type": "int", "default": 600},
    }
    return with_connection({**options, **common, **more})


def _run(declared: Callable[[Options], Declaration], noun: str) -> Callable[[Options, bool], Dict[str, Any]]:
    def run(params: Options, check_mode: bool) -> Dict[str, Any]:
        client = connect(params)
        target = Fleet(declared(params), client, Limits(wait_timeout=float(params["wait_timeout"])))
        outcome = reconcile(target, check_mode)
        result = outcome.plan.to_result()
        result["notes"] += target.notes
        if target.declaration.whole:
            result["undeclared"] = [change.to_dict() for change in outcome.plan.undeclared]
        return {**result, noun: view.result(noun, target.declaration, outcome), "api": client.api()}

    return run


def _single(noun: str, plural: str, part: Callable[[Options], Any]) -> Callable[[Options, bool], Dict[str, Any]]:
    def declared(params: Options) -> Declaration:
        declare.refuse_blank(params, ("fleet",), f"{noun} {params['name']}")
        only: Dict[str, Any] = {plural: (part(params),), "my_ip": params.get("my_ip")}
        return Declaration(fleet=params.get("fleet"), purge_tags=params["purge_tags"], adopt=params["adopt"], **only)

    return _run(declared, noun)


FLEET = ModuleDefinition(with_connection(_FLEET), _run(declare.fleet, "fleet"))
KEY_PAIR = ModuleDefinition(
    _alone(_KEY_PAIR), _single("key_pair", "key_pairs", declare.key_pair), {"mutually_exclusive": [("private_key_file", "public_key")]}
)
SECURITY_GROUP = ModuleDefinition(
    _alone(_SECURITY_GROUP, my_ip={"type": "str"}), _single("security_group", "security_groups", declare.security_group)
)
INSTANCE = ModuleDefinition(
    _alone(_INSTANCE, state={"type": "str", "choices": _INSTANCE_STATES, "default": "present"}),
    _single("instance", "instances", declare.instance),
    {"mutually_exclusive": _ONE_USER_DATA},
)
VOLUME = ModuleDefinition(
    _alone(_VOLUME, instance={"type": "str"}, instances={"type": "list", "elements": "str"}),
    _single("volume", "volumes", declare.volume),
    {"mutually_exclusive": [("instance", "instances")]},
)
ELASTIC_IP = ModuleDefinition(
    _alone(
        {
            "name": {"type": "str", "required": True},
            "instance": {"type": "str"},
            "network_interface": {"type": "str", "aliases": ["network_interface_id"]},
            "private_ip": {"type": "str", "aliases": ["private_ip_address"]},
            "address": {"type": "str", "aliases": ["public_ip", "allocation_id"]},
        }
    ),
    _single("elastic_ip", "elastic_ips", declare.elastic_ip),
    {"mutually_exclusive": [("instance", "network_interface")]},
)

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: instances
short_description: The instances of EC2 as hosts, with their volumes
version_added: 0.1.0
description:
  - Every instance is a host. All that the API says about it is in one variable, C(ec2), in the same form as the result of
    M(steadfast.ec2.instance) and M(steadfast.ec2.fleet), among it C(ec2.tags), C(ec2.zone_id), and the attached volumes by the
    name that they were declared with, as in C(ec2.volumes.images.id).
  - How to log in is in C(ansible_host), C(ansible_user) and C(ansible_ssh_private_key_file).
  - Each region is asked four or five questions, whatever the number of instances; all regions and questions at the same time.
  - A source is a YAML file that names this plugin; see the examples.
extends_documentation_fragment:
  - constructed
  - inventory_cache
  - steadfast.ec2.connection
options:
  plugin:
    description: Says that the file is meant for this plugin.
    type: str
    required: true
    choices: [steadfast.ec2.instances]
  regions:
    description:
      - The regions to ask. When empty, it is O(region), or the region that the environment or the profile names.
      - V(all) alone stands for every region that the account has enabled.
    type: list
    elements: str
    default: []
  failed_regions:
    description:
      - What happens when a region cannot be asked.
      - With V(fail) there is no inventory; with V(warn) the others are used, and a warning names the region and the reason.
    type: str
    choices: [fail, warn]
    default: fail
  filters:
    description:
      - Only instances that fit. Names are those of the API's C(DescribeInstances), for example V(tag:Environment); values are a
        string or a list of strings, in which V(*) and V(?) are wildcards.
    type: dict
    default: {}
  states:
    description: Only instances in one of these states. An instance that does not run cannot be reached.
    type: list
    elements: str
    choices: [pending, running, stopping, stopped, shutting-down, terminated]
    default: [pending, running]
  hostname:
    description:
      - What a host is called. V(name) is its name in its fleet, or else its tag C(Name), or else its id.
      - V(fleet) appends the name of the fleet, as in V(web-1.moso-dev-nvir). V(id) is the id of the instance.
      - Where instances would share a name, or a group has it already, all of them get the name of their fleet behind it, and if that
        is not enough, their id. So a name is never given to one of several by chance.
      - Characters other than letters, digits, dots, dashes and underscores become underscores.
    type: str
    choices: [name, fleet, id]
    default: name
  connect_with:
    description: What C(ansible_host) is, in order of preference. It stays unset for an instance that has none of them.
    type: list
    elements: str
    choices: [public_ip, private_ip, public_dns, private_dns]
    default: [public_ip]
  user:
    description:
      - The user that logs in.
      - When not given, it is the value of the tag C(steadfast:user), or the one that the publisher of the image documents, which is
        known for Debian, Ubuntu, Amazon Linux, RHEL, SUSE, AlmaLinux, Rocky, CentOS, Fedora, FreeBSD and Bitnami.
    type: str
  private_key_file:
    description:
      - The file with the private key. C({key_pair}) in it stands for the name of the instance's key pair.
      - A relative path starts at the folder of the inventory file. A file that is not there is not used.
    type: str
  group_by:
    description:
      - Groups that are made, each named after the attribute and its value, in lower case and with underscores, as in
        C(environment_dev), C(zone_us_east_1a) and C(fleet_moso_dev_nvir).
      - C(fleet), C(region), C(zone), C(zone_id), C(instance_type), C(state), C(vpc_id), C(subnet_id), C(image_id) and C(key_pair)
        are attributes of the instance. Everything else is a tag, in upper or lower case.
    type: list
    elements: str
    default: [fleet, project, environment, role, zone]
notes:
  - Strings that come from AWS are never evaluated as templates.
  - The cache is kept apart by everything that decides about its content, among it the regions, filters, endpoint and credentials.
seealso:
  - name: The sandbox
    description: Where to try it without an account.
    link: https://github.com/steadfast-collections/steadfast.ec2/blob/main/docs/sandbox.md
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
# The whole region that the environment names
plugin: steadfast.ec2.instances
---
# One environment in two regions, reached through the private network
plugin: steadfast.ec2.instances
regions: [us-east-1, eu-central-1]
filters:
  tag:Environment: dev
connect_with: [private_ip]
private_key_file: ~/.ssh/{key_pair}.pem
---
# Groups and variables of your own
plugin: steadfast.ec2.instances
group_by: [environment]
groups:
  big: ec2.instance_type.endswith('xlarge')
keyed_groups:
  - key: ec2.tags.Owner
    prefix: owner
compose:
  data_volume: ec2.volumes.images.id
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import template
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ..module_utils.aws.client import Connection
from ..module_utils.engine.errors import InvalidInput, SteadfastError
from ..plugin_utils.hosts import Reach, groups, names
from ..plugin_utils.regions import Answer, Question, connect, read

#: What a change of the cached form has to change, so that an old cache is not misread.
CACHE_FORM = 1


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Instances as hosts."""

    NAME = "steadfast.ec2.instances"

    def verify_file(self, path: str) -> bool:
        """A YAML file; whether it is meant for this plugin is said inside."""
        return bool(super().verify_file(path)) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill `inventory` from the file `path`; ends as one clear error or a complete inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            answer = self._answer(path, cache)
        except SteadfastError as error:
            raise AnsibleParserError(error.message) from error
        self._report(answer.failures)
        self._add_hosts(answer, Path(path).parent)

    # --- options

    def _option(self, name: str) -> Any:
        """An option, with templates in it evaluated; what is written in the inventory file is the user's own."""
        return self.templar.template(self.get_option(name))

    def _connection(self) -> Connection:
        return Connection.from_options({name: self._option(name) for name in Connection.__dataclass_fields__})

    def _question(self) -> Question:
        filters = {name: _strings(name, value) for name, value in self._option("filters").items()}
        filters.setdefault("instance-state-name", tuple(self.get_option("states")))
        return Question(tuple(self._option("regions")), filters, images=not self._option("user"))

    # --- reading, or remembering

    def _answer(self, path: str, cache: bool) -> Answer:
        connection, question = self._connection(), self._question()
        if not self.get_option("cache"):
            return read(connection, question)
        self.load_cache_plugin()
        key = self._cache_key(path, connection, question)
        if cache and (stored := self.cache.get(key)):
            return Answer(**stored, failures={})
        answer = read(connection, question)
        if not answer.failures:
            self.cache[key] = {"instances": answer.instances, "image_names": answer.image_names}
        return answer

    def _cache_key(self, path: str, connection: Connection, question: Question) -> str:
        """Different for everything that could give another answer. Finding it takes no call."""
        client = connect(connection, tuple(region for region in question.regions if region != "all"))[0]
        parts = [CACHE_FORM, client.region, client.endpoint, client.identity(), question.regions, sorted(question.filters.items())]
        digest = hashlib.sha256(json.dumps([*parts, question.images]).encode()).hexdigest()
        return f"{self.get_cache_key(path)}_{digest[:16]}"

    def _report(self, failures: Mapping[str, SteadfastError]) -> None:
        lines = [f"{region}: {error.message}" for region, error in sorted(failures.items())]
        if lines and self.get_option("failed_regions") == "fail":
            raise AnsibleParserError("\n".join(lines))
        for line in lines:
            self.display.warning(f"{self.NAME}: left out region {line}")

    # --- hosts

    def _add_hosts(self, answer: Answer, folder: Path) -> None:
        key_file = self._option("private_key_file")
        reach = Reach(
            connect_with=self.get_option("connect_with"),
            user=self._option("user"),
            key_file=str(folder / Path(key_file).expanduser()) if key_file else None,
        )
        known = names(answer.instances, self.get_option("hostname"), {*self.inventory.groups, *self.get_option("groups")})
        for instance in sorted(answer.instances, key=lambda instance: known[instance["id"]]):
            variables = {**reach.variables(instance, answer.image_names), "ec2": instance}
            self._add_host(known[instance["id"]], variables, groups(instance, self.get_option("group_by")))

    def _add_host(self, host: str, variables: dict[str, Any], own_groups: Iterable[str]) -> None:
        variables = _untrusted(variables)
        self.inventory.add_host(host)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        for group in own_groups:
            self.inventory.add_child(self.inventory.add_group(group), host)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def _strings(name: str, value: Any) -> tuple[str, ...]:
    """The values of a filter, as the API takes them."""
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values or any(isinstance(one, (dict, list)) or one is None for one in values):
        raise InvalidInput("a filter is a value or a list of values", resource=f"filters: {name}", found=repr(value))
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values)


def _untrusted(variables: dict[str, Any]) -> dict[str, Any]:
    """No string in it is a template. From ansible-core 2.19 on that is so for all strings that nobody trusts explicitly."""
    if hasattr(template, "trust_as_template"):
        return variables
    from ansible.utils.unsafe_proxy import wrap_var

    return dict(wrap_var(variables))

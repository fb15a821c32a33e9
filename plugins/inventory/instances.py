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
  - Each region is asked up to five questions, whatever the number of instances, and one if it has none; all regions at the same time.
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
  accounts:
    description:
      - The accounts to ask, all of them at the same time. When empty, it is the one that the connection options or the environment name.
      - Each is a mapping with any of C(name), C(profile), C(access_key), C(secret_key), C(session_token), C(role_arn), C(external_id),
        C(session_name) and C(regions). Credentials that it does not have are those of the connection options.
      - C(regions) of an account take the place of O(regions) there, with the same words.
      - C(name) is how messages and C(ec2.account) call it; when not given, the profile or the number in the role.
    type: list
    elements: dict
    default: []
  role_arn:
    description: The role to assume before anything is asked; for an account in O(accounts) that has one of its own, that one.
    type: str
    aliases: [assume_role_arn, iam_role_arn]
  regions:
    description:
      - The regions to ask. When empty, it is O(region), or the region that the environment or the profile names; that is also what
        V(auto) stands for in a list with others.
      - V(all) alone stands for every region that the account has enabled.
    type: list
    elements: str
    default: []
  failed_regions:
    description:
      - What happens when a region cannot be asked, or an account cannot be entered, while others can.
      - With V(warn) the others are used, and a warning names the region and the reason. With V(skip) that is only said with C(-v).
        With V(fail) there is no inventory.
      - When none of them can be asked, there is no inventory in any case.
    type: str
    choices: [fail, warn, skip]
    default: warn
  timeout:
    description: How many seconds one answer of the API may take. A call that gets none is sent up to five times before its region fails.
    type: int
    default: 30
  details:
    description:
      - What is asked of each region besides its instances, one call for each.
      - Without V(volumes), C(ec2.volumes) has only ids and attach names. Without V(elastic_ips), C(ec2.elastic_ip) is empty. Without
        V(zone_ids), C(ec2.zone_id) is there only where the instance itself tells it. Without V(images), the login user is not found
        out by the image.
      - A detail that cannot be asked does not cost the region; O(failed_regions) says whether it is warned of.
    type: list
    elements: str
    choices: [volumes, elastic_ips, zone_ids, images]
    default: [volumes, elastic_ips, zone_ids, images]
  filters:
    description:
      - Only instances that fit. Names are those of the API's C(DescribeInstances), for example V(tag:Environment); values are a
        string or a list of strings, in which V(*) and V(?) are wildcards.
    type: dict
    default: {}
  include_filters:
    description:
      - More filters; an instance is taken if it fits O(filters), when there are any, or one of these.
      - They are told apart here, so that each region is still asked only once.
    type: list
    elements: dict
    default: []
  exclude_filters:
    description: Filters that leave out what fits one of them, whatever else it fits. They are told apart here too.
    type: list
    elements: dict
    default: []
  states:
    description:
      - Only instances in one of these states, where no filter names C(instance-state-name).
      - An instance that does not run cannot be reached.
    type: list
    elements: str
    choices: [pending, running, stopping, stopped, shutting-down, terminated]
    default: [pending, running]
  hostnames:
    description:
      - What a host is called, in order of preference; the id of the instance is the last resort.
      - V(name) is its name in its fleet, or else its tag C(Name). V(fleet) is the same with the name of the fleet behind it, as in
        V(web-1.moso-dev-nvir). V(tag:KEY) is the value of a tag. V(id), V(public_ip), V(private_ip), V(public_dns) and V(private_dns) are
        what they say, also under the names that the API's filters have for them. Everything else has to be a template, for
        example V({{ ec2.tags.Name }}.{{ ec2.region }}).
      - Where instances would share a name, or a group has it already, all of them get the name of their fleet behind it, and if that
        is not enough, their id, and a warning says so. So a name is never given to one of several by chance, and none gets lost.
      - Characters other than letters, digits, dots, dashes and underscores become underscores.
    type: list
    elements: str
    default: [name]
    aliases: [hostname]
  variables:
    description:
      - V(ec2) is the one variable that has everything.
      - V(flat) are the variables that C(amazon.aws.aws_ec2) makes of an instance, each beside the others, as in C(instance_type),
        C(placement.region) and C(tags). It is meant for moving from there. It takes more time and memory, and some of the names, such as
        C(tags), mean something else to Ansible too.
    type: list
    elements: str
    choices: [ec2, flat]
    default: [ec2]
  hostvars_prefix:
    description: What the names of the variables of V(flat) in O(variables) begin with.
    type: str
    default: ''
  hostvars_suffix:
    description: What the names of the variables of V(flat) in O(variables) end with.
    type: str
    default: ''
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
  port:
    description: The port that ssh connects to, when it is not 22.
    type: int
  private_key_file:
    description:
      - The file with the private key. C({key_pair}) in it stands for the name of the instance's key pair.
      - A relative path starts at the folder of the inventory file. A file that is not there is not used.
    type: str
  ssh_args:
    description:
      - More options for ssh, scp and sftp, for example V(-o ProxyJump=bastion.example.com).
      - They become C(ansible_ssh_common_args).
    type: str
  group_by:
    description:
      - Groups that are made, each named after the attribute and its value, in lower case and with underscores, as in
        C(environment_dev), C(zone_us_east_1a) and C(fleet_moso_dev_nvir).
      - C(account), C(account_id), C(fleet), C(region), C(zone), C(zone_id), C(instance_type), C(state), C(vpc_id), C(subnet_id),
        C(image_id) and C(key_pair) are attributes of the instance. Everything else is a tag, in upper or lower case.
    type: list
    elements: str
    default: [fleet, project, environment, role, zone]
notes:
  - Strings that come from AWS are never evaluated as templates.
  - The cache is kept apart by everything that decides about its content, among it the accounts, regions, filters, endpoint and
    credentials. An inventory from which a region is missing is not kept.
  - With C(-vv) it tells how long each region took, and with how many calls.
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
# Three accounts, every region, whatever can be asked
plugin: steadfast.ec2.instances
accounts:
  - profile: prod
  - profile: staging
  - {name: customer, role_arn: "arn:aws:iam::123456789012:role/inventory", external_id: moso, regions: [eu-central-1]}
regions: [all]
hostnames: ["{{ ec2.tags.Name }}.{{ ec2.account }}", id]
exclude_filters:
  - tag:Ansible: ignore
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
import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

from ansible import template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ..module_utils.aws.connection import Connection
from ..module_utils.engine.errors import InvalidInput, SteadfastError
from ..plugin_utils import expressions, flat
from ..plugin_utils.accounts import Account, region_words
from ..plugin_utils.choice import Choice
from ..plugin_utils.collector import rarely_collecting
from ..plugin_utils.hosts import Names, Reach, check_group_by, check_hostnames, groups, names
from ..plugin_utils.regions import Answer, Question, read
from ..plugin_utils.remembered import from_cache, to_cache

#: What a change of the cached form has to change, so that an old cache is not misread.
CACHE_FORM = 3
#: From ansible-core 2.19 on a string is a template only if somebody trusts it explicitly.
TRUST_IS_EXPLICIT = hasattr(template, "trust_as_template")
#: How many of a long list a warning names.
NAMED = 5


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Instances as hosts."""

    NAME = "steadfast.ec2.instances"

    def verify_file(self, path: str) -> bool:
        """A YAML file; whether it is meant for this plugin is said inside."""
        return bool(super().verify_file(path)) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill `inventory` from the file `path`; ends as one clear error or a complete inventory."""
        super().parse(inventory, loader, path, cache)
        try:
            with rarely_collecting():
                self._fill(path, cache)
        except SteadfastError as error:
            raise AnsibleParserError(error.message) from error

    def _fill(self, path: str, cache: bool) -> None:
        self._check_options(self._read_config_data(path))
        answer = self._answer(path, cache)
        self._report(answer)
        started = monotonic()
        self._add_hosts(answer, Path(path).parent)
        self.display.vv(f"{self.NAME}: {len(answer.instances)} hosts added in {monotonic() - started:.2f} s")

    # --- options

    def _check_options(self, config: Mapping[str, Any]) -> None:
        """Refuse what has no meaning: Ansible itself passes over a misspelt option in silence."""
        known = {str(name) for option, defined in self.option_definitions.items() for name in (option, *_aliases(defined))}
        for name in sorted(str(name) for name in set(config) - known):
            close = ", ".join(get_close_matches(name, known)) or ", ".join(sorted(known))
            raise InvalidInput("there is no such option", resource=name, do=f"Correct it: {close}?")

    def _option(self, name: str) -> Any:
        """An option, with templates in it evaluated; what is written in the inventory file is the user's own."""
        return self.templar.template(self.get_option(name))

    def _accounts(self) -> tuple[Account, ...]:
        connection = Connection.from_options({name: self._option(name) for name in Connection.__dataclass_fields__})
        words = {"external_id": self._option("external_id"), "session_name": self._option("role_session_name")}
        return Account.all_of(connection, self._option("role_arn"), self._option("accounts"), **words)

    def _question(self) -> Question:
        filters, included, excluded = (self._option(name) for name in ("filters", "include_filters", "exclude_filters"))
        details, timeout = self.get_option("details"), self.get_option("timeout")
        if timeout < 1:
            raise InvalidInput("no answer comes in no time", resource="timeout", found=str(timeout), do="Give at least 1 second.")
        return Question(
            regions=region_words("regions", self._option("regions")),
            choice=Choice.of(filters, included, excluded, self.get_option("states")),
            details=tuple(kind for kind in details if kind != "images" or not self._option("user")),
            raw="flat" in self.get_option("variables"),
            timeout=timeout,
        )

    # --- reading, or remembering

    def _answer(self, path: str, cache: bool) -> Answer:
        check_hostnames(self.get_option("hostnames"))
        check_group_by(self.get_option("group_by"))
        port = self.get_option("port")
        if port is not None and not 0 < port < 65536:
            raise InvalidInput("there is no such port", resource="port", found=str(port), wanted="1 to 65535")
        accounts, question = self._accounts(), self._question()
        if not self.get_option("cache"):
            return read(accounts, question)
        self.load_cache_plugin()
        key = self._cache_key(path, accounts, question)
        if cache and (remembered := self._remembered(key, question.raw)):
            self.display.vv(f"{self.NAME}: {len(remembered.instances)} instances from the cache")
            return remembered
        answer = read(accounts, question)
        if (self.get_option("failed_regions") == "skip" and answer.instances) or not (answer.failures or answer.gaps):
            self.cache[key] = to_cache(answer)
        return answer

    def _remembered(self, key: str, raw: bool) -> Answer | None:
        try:
            return from_cache(self.cache.get(key), raw)
        except (LookupError, TypeError, ValueError):  # a file that Ansible's own cache plugin cannot make sense of
            return None

    def _cache_key(self, path: str, accounts: Iterable[Account], question: Question) -> str:
        """Different for everything that could give another answer. Finding it takes no call."""
        whose = [account.identity(question.regions, question.timeout) for account in accounts]
        choice = [[sorted(one.items()) for one in part] for part in (question.choice.included, question.choice.excluded)]
        may_lack = self.get_option("failed_regions") == "skip"
        parts = [CACHE_FORM, whose, question.regions, choice, question.details, question.raw, may_lack]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return f"{self.get_cache_key(path)}_{digest[:16]}"

    # --- what is missing, and what it took

    def _report(self, answer: Answer) -> None:
        for place, spent in sorted(answer.spent.items()):
            words = "{instances} instances, {calls} calls, {retries} retries, {seconds:.2f} s".format(**spent)
            self.display.vv(f"{self.NAME}: {place}: {words}")
        missing = [f"left out {place}: {error.message}" for place, error in sorted(answer.failures.items())]
        missing += [f"{place}: {detail} are missing: {error.message}" for (place, detail), error in sorted(answer.gaps.items())]
        policy = self.get_option("failed_regions")
        if missing and (policy == "fail" or (answer.failures and not answer.spent.keys() - answer.failures.keys())):
            raise AnsibleParserError("\n".join(dict.fromkeys(missing)))
        for line in missing:
            (self.display.warning if policy == "warn" else self.display.v)(f"{self.NAME}: {line}")

    def _report_names(self, found: Names, elsewhere: Mapping[str, str]) -> None:
        several = {name: hosts for name, hosts in sorted(found.shared.items()) if len(hosts) > 1}
        shown = [f"{len(hosts)} instances are called {name}" for name, hosts in several.items()]
        again = sorted(name for name in found.shared if name in elsewhere and name not in several)
        shown += [f"an instance is called {name}, as one of another source is" for name in again]
        if shown:
            more = f" and {len(shown) - NAMED} more" if len(shown) > NAMED else ""
            text = f"{'; '.join(shown[:NAMED])}{more}. Each of them got its id behind its name; a tag Name of its own would be clearer."
            self.display.warning(f"{self.NAME}: {text}")

    # --- hosts

    def _add_hosts(self, answer: Answer, folder: Path) -> None:
        key_file = self._option("private_key_file")
        reach = Reach(
            connect_with=self.get_option("connect_with"),
            user=self._option("user"),
            # Path.expanduser fails for a user that is not there; such a file is only not there
            key_file=str(folder / os.path.expanduser(str(key_file))) if key_file else None,  # noqa: PTH111
            port=self.get_option("port"),
            ssh_args=self._option("ssh_args"),
        )
        forms, kinds = self.get_option("variables"), self.get_option("group_by")
        own_groups = {instance["id"]: groups(instance, kinds) for instance in answer.instances}
        reserved = {*self.inventory.groups, *self.get_option("groups"), *chain.from_iterable(own_groups.values())}
        elsewhere = self._elsewhere()
        found = names(answer.instances, self.get_option("hostnames"), reserved, elsewhere, self._render)
        self._report_names(found, elsewhere)
        for instance in sorted(answer.instances, key=lambda instance: found.by_id[instance["id"]]):
            variables = {"ec2": instance} if "ec2" in forms else {}
            if "flat" in forms:
                variables.update(self._flat(answer.raw[instance["id"]], instance))
            variables.update(reach.variables(instance, answer.image_names))
            self._add_host(found.by_id[instance["id"]], variables, own_groups[instance["id"]])

    def _elsewhere(self) -> dict[str, str]:
        """The hosts that other sources of this kind have made: an instance of the same name is not the same machine."""
        known = {name: _instance_id(host.vars) for name, host in self.inventory.hosts.items()}
        return {name: one for name, one in known.items() if one}

    def _flat(self, raw: Mapping[str, Any], instance: Mapping[str, Any]) -> dict[str, Any]:
        return flat.variables(raw, instance["region"], self.get_option("hostvars_prefix"), self.get_option("hostvars_suffix"))

    def _render(self, text: str, instance: Mapping[str, Any]) -> Any:
        """A host name from a template; what is not defined in it makes no name."""
        self.templar.available_variables = {"ec2": _untrusted(dict(instance))}
        try:
            return self.templar.template(text)
        except AnsibleError as error:
            if self.get_option("strict"):
                raise AnsibleParserError(f"hostnames: {text} of {instance['id']}: {error}") from error
            return None

    def _add_host(self, name: str, variables: dict[str, Any], own_groups: Iterable[str]) -> None:
        variables = _untrusted(variables)
        self.inventory.add_host(name)
        host = self.inventory.hosts[name]
        for variable, value in variables.items():
            # not by inventory.set_variable: that would look for trust in each of some hundred strings that have none
            host.set_variable(variable, value)
        for group in own_groups:
            self.inventory.add_child(self.inventory.add_group(group), name)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)

    # --- constructed features: what Ansible does with an expression, at less than its price where it is only a look-up

    def _compose(self, template: Any, variables: Any, *args: Any, **kwargs: Any) -> Any:
        evaluate = self._plain(template)
        if evaluate:
            try:
                return evaluate(variables)
            except expressions.NotDefined:
                if not self.get_option("strict"):
                    raise
            except expressions.NotPlain:
                pass
        return super()._compose(template, variables, *args, **kwargs)

    def _add_host_to_composed_groups(self, groups: Any, variables: Any, host: str, strict: bool = False, **kwargs: Any) -> None:
        known, left = {**variables, **self.inventory.hosts[host].vars}, {}
        for name, expression in (groups or {}).items():
            member = self._is_member(expression, known, strict)
            if member is None:
                left[name] = expression
            elif member:
                self.inventory.add_child(self.inventory.add_group(self._sanitize_group_name(name)), host)
        if left:
            super()._add_host_to_composed_groups(left, variables, host, strict=strict, **kwargs)

    def _is_member(self, expression: Any, variables: Mapping[str, Any], strict: bool) -> bool | None:
        """None: Ansible has to decide."""
        evaluate = self._plain(expression)
        if not evaluate:
            return None
        try:
            found = evaluate(variables)
        except expressions.NotDefined:
            return None if strict else False
        except expressions.NotPlain:
            return None
        return found if isinstance(found, bool) else None

    def _plain(self, expression: Any) -> expressions.Evaluate | None:
        if not TRUST_IS_EXPLICIT or not isinstance(expression, str) or self.get_option("use_extra_vars"):
            return None
        return expressions.plain(expression)


def _aliases(defined: Any) -> Iterable[str]:
    return defined.get("aliases") or () if isinstance(defined, Mapping) else ()


def _instance_id(variables: Mapping[str, Any]) -> str | None:
    """Of a host that is an instance, here or to aws_ec2; among flat variables it may have a prefix and a suffix."""
    ec2 = variables.get("ec2")
    if isinstance(ec2, Mapping):
        return str(ec2["id"]) if "id" in ec2 else None
    return next((str(value) for name, value in variables.items() if "instance_id" in name and str(value).startswith("i-")), None)


def _untrusted(variables: dict[str, Any]) -> dict[str, Any]:
    """No string in it is a template."""
    if TRUST_IS_EXPLICIT:
        return variables
    from ansible.utils.unsafe_proxy import wrap_var

    return dict(wrap_var(variables))

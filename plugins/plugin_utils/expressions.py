# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The common expressions of keyed_groups, groups and compose, without the price of a template for every host. Pure.

`ec2.tags.Role`, `tags['Role'] == 'web' and state == 'running'`, `ec2.fleet | default('none')`, `'db' in ec2.tags.Role`,
`ec2.volumes.images is defined`: look-ups and comparisons, read by Jinja's own parser. Everything else, and every value about which
there could be two opinions, is left to Ansible, so that nothing means something else than it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

Variables = Mapping[str, Any]
Evaluate = Callable[[Variables], Any]

_PLAIN = (str, int, float, bool, list, dict)
#: What Ansible itself puts over the variables of a host.
_MAGIC = ("inventory_hostname", "inventory_hostname_short", "group_names")


class NotPlain(Exception):
    """Ansible has to decide about it."""


class NotDefined(Exception):
    """A variable, attribute or item is not there."""


@lru_cache(maxsize=1024)
def plain(expression: str) -> Evaluate | None:
    """A function of the variables that gives what Ansible would; None if `expression` has more in it than look-ups.

    The function raises NotDefined, and NotPlain where Ansible has to decide after all.
    """
    if "{" in expression or "}" in expression:
        return None
    try:
        body = Environment(autoescape=True).parse("{{" + expression + "}}").body
    except TemplateSyntaxError:
        return None
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    try:
        return _compiled(body[0].nodes[0])
    except NotPlain:
        return None


def _compiled(node: nodes.Node) -> Evaluate:
    for kind, compiled in _KINDS.items():
        if isinstance(node, kind):
            return compiled(node)
    raise NotPlain


def _const(node: Any) -> Evaluate:
    value = node.value
    if not isinstance(value, (str, int)):
        raise NotPlain
    return lambda variables: value


def _name(node: Any) -> Evaluate:
    name = node.name
    if name in _MAGIC:
        raise NotPlain

    def evaluate(variables: Variables) -> Any:
        if name not in variables:
            raise NotPlain  # it may be a global of Jinja
        return _checked(variables[name])

    return evaluate


def _getattr(node: Any) -> Evaluate:
    if hasattr(dict, node.attr):
        raise NotPlain  # items, keys, values: a method to one, a key to another
    return _item(_compiled(node.node), node.attr)


def _getitem(node: Any) -> Evaluate:
    if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, str) or hasattr(dict, node.arg.value):
        raise NotPlain
    return _item(_compiled(node.node), node.arg.value)


def _item(container: Evaluate, key: str) -> Evaluate:
    def evaluate(variables: Variables) -> Any:
        found = container(variables)
        if found.__class__ is not dict:  # a subclass may look things up in a way of its own
            raise NotPlain
        if key not in found:
            raise NotDefined(f"there is no {key!r}")
        return _checked(found[key])

    return evaluate


def _checked(value: Any) -> Any:
    if type(value) not in _PLAIN:
        raise NotPlain
    return value


def _compare(node: Any) -> Evaluate:
    if len(node.ops) != 1 or node.ops[0].op not in _OPERATORS:
        raise NotPlain
    operator, left, right = _OPERATORS[node.ops[0].op], _compiled(node.expr), _compiled(node.ops[0].expr)

    def evaluate(variables: Variables) -> Any:
        one, other = left(variables), right(variables)
        try:
            return operator(one, other)
        except TypeError as error:
            raise NotPlain from error

    return evaluate


def _and(node: Any) -> Evaluate:
    left, right = _compiled(node.left), _compiled(node.right)
    return lambda variables: left(variables) and right(variables)


def _or(node: Any) -> Evaluate:
    left, right = _compiled(node.left), _compiled(node.right)
    return lambda variables: left(variables) or right(variables)


def _not(node: Any) -> Evaluate:
    inner = _compiled(node.node)
    return lambda variables: not inner(variables)


def _test(node: Any) -> Evaluate:
    if node.name not in ("defined", "undefined") or node.args or node.kwargs or isinstance(node.node, nodes.Const):
        raise NotPlain
    inner, wanted = _compiled(node.node), node.name == "defined"

    def evaluate(variables: Variables) -> bool:
        try:
            inner(variables)
        except NotDefined:
            return not wanted
        return wanted

    return evaluate


def _filter(node: Any) -> Evaluate:
    """Only `default`: the one filter that expressions about tags can hardly do without."""
    if node.name not in ("default", "d") or node.kwargs or node.node is None or len(node.args) not in (1, 2):
        raise NotPlain
    inner, instead = _compiled(node.node), _compiled(node.args[0])
    if len(node.args) > 1 and not (isinstance(node.args[1], nodes.Const) and node.args[1].value is True):
        raise NotPlain
    also_if_empty = len(node.args) > 1

    def evaluate(variables: Variables) -> Any:
        try:
            found = inner(variables)
        except NotDefined:
            return instead(variables)
        return instead(variables) if also_if_empty and not found else found

    return evaluate


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": lambda one, other: one == other,
    "ne": lambda one, other: one != other,
    "in": lambda one, other: one in other,
    "notin": lambda one, other: one not in other,
}
_KINDS: Mapping[Any, Callable[[Any], Evaluate]] = {
    nodes.Const: _const,
    nodes.Name: _name,
    nodes.Getattr: _getattr,
    nodes.Getitem: _getitem,
    nodes.Compare: _compare,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    nodes.Test: _test,
    nodes.Filter: _filter,
}

# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which ports of a machine answer follows from the rules of its groups."""

from __future__ import annotations

import pytest

from sandbox.ec2.firewall import WELL_KNOWN, Rule, admits, open_ports, ports_of


@pytest.mark.parametrize(
    ("source", "admitted"),
    [
        ("127.0.0.1/32", True),
        ("0.0.0.0/0", True),
        ("127.0.0.0/8", True),
        ("10.0.0.0/8", False),
        ("127.0.0.2/32", False),
        ("::/0", False),
        ("sg-1", False),
        ("", False),
    ],
)
def test_a_rule_counts_if_its_source_includes_the_client(source: str, admitted: bool) -> None:
    """The client of the sandbox is 127.0.0.1."""
    assert admits(source) is admitted


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        (Rule("tcp", 80, 80, "0.0.0.0/0"), {80}),
        (Rule("tcp", 8000, 8003, "0.0.0.0/0"), {8000, 8001, 8002, 8003}),
        (Rule("tcp", 0, 1, "0.0.0.0/0"), {1}),
        (Rule("tcp", 1, 1024, "0.0.0.0/0"), {port for port in WELL_KNOWN if port <= 1024}),
        (Rule("-1", 0, 65535, "0.0.0.0/0"), set(WELL_KNOWN)),
        (Rule("udp", 53, 53, "0.0.0.0/0"), set()),
        (Rule("icmp", -1, -1, "0.0.0.0/0"), set()),
        (Rule("tcp", 80, 80, "10.0.0.0/8"), set()),
    ],
)
def test_ports_of_a_rule(rule: Rule, ports: set[int]) -> None:
    """Small ranges port by port, wide ones only the well-known ports in them."""
    assert ports_of(rule) == ports


def test_rules_add_up() -> None:
    """A port is open if any rule opens it; without rules none is."""
    assert open_ports([Rule("tcp", 22, 22, "10.0.0.0/8"), Rule("tcp", 22, 22, "127.0.0.1/32")]) == {22}
    assert open_ports([]) == set()

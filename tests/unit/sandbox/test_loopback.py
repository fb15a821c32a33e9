# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Public addresses: a range for each sandbox, and no address twice."""

from __future__ import annotations

import socket
from contextlib import closing

from sandbox.loopback import LoopbackPool, is_free


def test_two_sandboxes_never_share_a_range() -> None:
    """And a range is free again when its sandbox ends."""
    with closing(LoopbackPool()) as first, closing(LoopbackPool()) as second:
        assert first.range != second.range
        taken = first.range
    with closing(LoopbackPool()) as third:
        assert third.range == taken


def test_an_address_that_was_given_back_is_not_handed_out_at_once() -> None:
    """Nobody who still knows the old address meets somebody else there."""
    with closing(LoopbackPool()) as pool:
        first = pool.take()
        pool.give_back(first)
        assert pool.take() != first


def test_addresses_look_like_hosts() -> None:
    """No .0 and no .255."""
    with closing(LoopbackPool()) as pool:
        assert {pool.take().rsplit(".", 1)[1] for _ in range(600)}.isdisjoint({"0", "255"})


def test_an_address_that_somebody_uses_is_left_out() -> None:
    """A machine that another sandbox left behind keeps its address."""
    with closing(LoopbackPool(lambda address: not address.endswith(".1"))) as pool:
        assert pool.take().endswith(".2")


def test_a_port_is_free_unless_somebody_listens() -> None:
    """The check that real machines use."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port)
    assert is_free("127.0.0.1", port)

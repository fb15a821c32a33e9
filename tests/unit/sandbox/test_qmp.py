# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The QMP client against a fake QEMU on the other end of a socket pair."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.qmp import Qmp
from sandbox.trouble import QmpError

Message = dict[str, Any]
#: What the fake answers to a command: messages to send, or nothing to hang up.
Answer = Callable[[Message], list[Message] | None]


class FakeQemu:
    """Greets, then answers each command with what the test says; remembers the commands."""

    def __init__(self, answer: Answer) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.commands: list[Message] = []
        self._answer = answer
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, *messages: Message) -> None:
        """Say something without having been asked."""
        for message in messages:
            self.theirs.sendall(json.dumps(message).encode() + b"\r\n")

    def close(self) -> None:
        """Hang up."""
        self.theirs.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self.theirs.close()

    def _run(self) -> None:
        self.send({"QMP": {"version": {}, "capabilities": []}})
        for line in self.theirs.makefile("rb"):
            command = json.loads(line)
            self.commands.append(command)
            if command["execute"] == "qmp_capabilities":
                self.send({"return": {}, "id": command["id"]})
                continue
            answer = self._answer(command)
            if answer is None:
                self.theirs.shutdown(socket.SHUT_RDWR)
                return
            self.send(*answer)


@pytest.fixture
def qemu() -> Iterator[Callable[[Answer], FakeQemu]]:
    """Makes fakes, and hangs up at the end."""
    made: list[FakeQemu] = []

    def make(answer: Answer) -> FakeQemu:
        made.append(FakeQemu(answer))
        return made[-1]

    yield make
    for fake in made:
        try:
            fake.close()
        except OSError:
            pass  # the test hung up itself


def returning(value: Any) -> Answer:
    """An answer that succeeds with `value`."""
    return lambda command: [{"return": value, "id": command["id"]}]


def silence(command: Message) -> list[Message]:
    """No answer, and no hanging up."""
    return []


def test_returns_what_the_command_returns(qemu: Callable[[Answer], FakeQemu]) -> None:
    """The value of a command is its return, and the handshake has been made before it."""
    fake = qemu(returning({"status": "running"}))
    assert Qmp(fake.ours).execute("query-status") == {"status": "running"}
    assert [command["execute"] for command in fake.commands] == ["qmp_capabilities", "query-status"]


def test_arguments_are_spelt_with_dashes(qemu: Callable[[Answer], FakeQemu]) -> None:
    """Python cannot write `node-name`, and QEMU does not know `node_name`."""
    fake = qemu(returning({}))
    Qmp(fake.ours).execute("block_resize", node_name="disk-1", size=5)
    assert fake.commands[-1]["arguments"] == {"node-name": "disk-1", "size": 5}


def test_properties_of_devices_keep_their_spelling(qemu: Callable[[Answer], FakeQemu]) -> None:
    """Properties such as logical_block_size have underscores in QEMU too."""
    fake = qemu(returning({}))
    Qmp(fake.ours).execute("device_add", driver="nvme", logical_block_size=4096)
    assert fake.commands[-1]["arguments"] == {"driver": "nvme", "logical_block_size": 4096}


def test_an_error_reply_says_which_command_and_what_qemu_said(qemu: Callable[[Answer], FakeQemu]) -> None:
    """The description is inside `error`, not beside it."""
    fake = qemu(lambda command: [{"error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}, "id": command["id"]}])
    with pytest.raises(QmpError, match="device_del: Device 'x' not found"):
        Qmp(fake.ours).execute("device_del", id="x")


def test_an_error_does_not_end_the_connection(qemu: Callable[[Answer], FakeQemu]) -> None:
    """After a refused command the next one works."""
    replies = iter([{"error": {"class": "GenericError", "desc": "no"}}, {"return": 7}])
    client = Qmp(qemu(lambda command: [{**next(replies), "id": command["id"]}]).ours)
    with pytest.raises(QmpError):
        client.execute("first")
    assert client.execute("second") == 7


def test_an_event_between_command_and_reply_is_not_taken_for_the_reply(qemu: Callable[[Answer], FakeQemu]) -> None:
    """Replies are known by their id; events go to who listens."""
    fake = qemu(lambda command: [{"event": "STOP", "data": {}}, {"return": "done", "id": command["id"]}])
    client = Qmp(fake.ours)
    with client.listen("STOP") as events:
        assert client.execute("stop") == "done"
        assert events.wait(10)


def test_an_event_that_comes_before_the_wait_is_not_missed(qemu: Callable[[Answer], FakeQemu]) -> None:
    """Listening begins with the block, so the answer to a command inside it cannot be too early."""
    fake = qemu(lambda command: [{"return": {}, "id": command["id"]}, {"event": "DEVICE_DELETED", "data": {"device": "a"}}])
    client = Qmp(fake.ours)
    with client.listen("DEVICE_DELETED") as events:
        client.execute("device_del", id="a")
        client.execute("query-status")
        assert events.wait(10, lambda data: data.get("device") == "a")


def test_events_of_others_are_skipped(qemu: Callable[[Answer], FakeQemu]) -> None:
    """Two volumes may be unplugged at once: each wait ends with its own."""
    fake = qemu(silence)
    client = Qmp(fake.ours)
    with client.listen("DEVICE_DELETED") as events:
        fake.send(*({"event": "DEVICE_DELETED", "data": {"device": name}} for name in ("a", "b")))
        event = events.wait(10, lambda data: data.get("device") == "b")
        assert event and event["data"]["device"] == "b"


def test_waiting_for_an_event_ends_in_time(qemu: Callable[[Answer], FakeQemu]) -> None:
    """No event in time is an answer, not a hang."""
    client = Qmp(qemu(silence).ours)
    with client.listen("SHUTDOWN") as events:
        assert events.wait(0.01) is None


def test_a_command_without_answer_ends_in_time(qemu: Callable[[Answer], FakeQemu]) -> None:
    """A stuck QEMU does not hold its caller for ever."""
    client = Qmp(qemu(silence).ours, timeout=0.2)
    with pytest.raises(QmpError, match=r"query-block: QEMU did not answer in 0\.2 s"):
        client.execute("query-block")


def test_a_late_reply_is_not_given_to_the_next_command(qemu: Callable[[Answer], FakeQemu]) -> None:
    """What answers a command that was given up stays with that command."""
    late: list[Message] = []

    def answer(command: Message) -> list[Message]:
        late.append({"return": command["execute"], "id": command["id"]})
        return late if len(late) == 2 else []

    client = Qmp(qemu(answer).ours, timeout=0.2)
    with pytest.raises(QmpError):
        client.execute("slow")
    assert client.execute("next") == "next"


def test_hanging_up_ends_a_waiting_command(qemu: Callable[[Answer], FakeQemu]) -> None:
    """When QEMU dies, who waits for it hears so at once."""
    client = Qmp(qemu(lambda command: None).ours)
    with pytest.raises(QmpError, match="quit: QEMU closed its control socket"):
        client.execute("quit")


def test_hanging_up_ends_a_wait_for_an_event(qemu: Callable[[Answer], FakeQemu]) -> None:
    """The same for who listens."""
    fake = qemu(silence)
    client = Qmp(fake.ours)
    with client.listen("SHUTDOWN") as events:
        fake.close()
        with pytest.raises(QmpError, match="closed"):
            events.wait(10)


def test_a_closed_connection_refuses_at_once(qemu: Callable[[Answer], FakeQemu]) -> None:
    """Commands and waits after the end do not wait for a time-out."""
    fake = qemu(lambda command: None)
    client = Qmp(fake.ours)
    with pytest.raises(QmpError):
        client.execute("quit")
    with pytest.raises(QmpError):
        client.execute("query-status")


def test_a_program_that_is_not_qemu_is_an_error(qemu: Callable[[Answer], FakeQemu]) -> None:
    """A line that is not JSON ends the connection instead of the reader thread in silence."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"qemu-system-x86_64: no such option\n")
        with pytest.raises(QmpError):
            Qmp(ours)


def test_commands_of_several_threads_get_their_own_replies(qemu: Callable[[Answer], FakeQemu]) -> None:
    """Replies may come in another order than the commands went."""
    waiting: list[Message] = []

    def answer(command: Message) -> list[Message]:
        waiting.append({"return": command["execute"], "id": command["id"]})
        return waiting[::-1] if len(waiting) == 3 else []

    client = Qmp(qemu(answer).ours)
    results: dict[str, Any] = {}
    threads = [threading.Thread(target=lambda n=name: results.update({n: client.execute(n)})) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == {"a": "a", "b": "b", "c": "c"}

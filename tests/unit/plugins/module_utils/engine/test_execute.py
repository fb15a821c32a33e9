# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a plan is carried out: order, what is not there yet, waiting, and what remains when something fails."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, PartlyApplied, SteadfastError, TimedOut
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Batch, Limits, Performed, Performer, execute
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import Change, Plan, Ref, Step
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace, Wait

LIMITS = Limits(workers=4, wait_timeout=60.0, patience=60.0, pace=Pace(first=0.0, gather=0.0))


class Recorder(Performer):
    """Remembers what it was asked; `fail` maps a verb to the errors it raises before it succeeds."""

    def __init__(self, fail: Mapping[str, list[SteadfastError]] | None = None, looks: int = 0) -> None:
        self.done: list[tuple[str, Mapping[str, Any]]] = []
        self.looked: list[list[str]] = []
        self._fail = {verb: list(errors) for verb, errors in (fail or {}).items()}
        self._looks = looks
        self._lock = threading.Lock()

    def perform(self, step: Step) -> Performed:
        with self._lock:
            if self._fail.get(step.verb):
                raise self._fail[step.verb].pop(0)
            self.done.append((step.verb, step.params))
            identity = f"{step.verb}-id"
            waits = step.verb.startswith("slow")
            wait = Wait("thing", identity, "ready", lambda seen: seen == "ready", str) if waits else None
            return Performed({"id": identity}, wait)

    def again(self, step: Step, error: SteadfastError) -> bool:
        return error.code == "NotYet"

    def look(self, kind: str, identities: list[str]) -> Mapping[str, Any]:
        self.looked.append(identities)
        return dict.fromkeys(identities, "ready" if len(self.looked) > self._looks else "pending")

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _params in self.done]


class Together(Recorder):
    """Steps named `many` go together; a batch with a bad name in it fails as a whole, with the error of `blame`."""

    def __init__(self, bad: str = "", most: int = 100, blame: str = "Bad") -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._bad, self._most, self._blame = bad, most, blame

    def batch(self, step: Step) -> Batch | None:
        return Batch(step.params["same"], self._most) if step.verb == "many" else None

    def perform(self, step: Step) -> Performed:
        return self.perform_together([step])[0]

    def perform_together(self, steps: list[Step]) -> list[Performed]:
        with self._lock:
            self.sizes.append(len(steps))
            if self._bad in [step.params["name"] for step in steps]:
                raise CallFailed("no", code=self._blame)
            self.done += [(step.verb, step.params) for step in steps]
            return [Performed({"id": step.params["name"]}) for step in steps]

    def divides(self, error: SteadfastError) -> bool:
        return error.code == "Bad"


def many(*names: str, same: str = "") -> Plan:
    return Plan(tuple(change(name, Step("many", {"name": name, "same": same or "all"})) for name in names))


def change(name: str, *steps: Step, requires: tuple[tuple[str, str], ...] = ()) -> Change:
    return Change("thing", name, "create", None, {"name": name}, (), steps, requires)


def test_a_step_gets_what_it_refers_to() -> None:
    """A Ref becomes the value that another change yielded, whatever the order of the plan."""
    recorder = Recorder()
    user = change("user", Step("use", {"Id": Ref("thing", "maker"), "List": [{"Id": Ref("thing", "maker")}]}))
    execute(Plan((user, change("maker", Step("make", {})))), recorder, LIMITS)
    assert recorder.done == [("make", {}), ("use", {"Id": "make-id", "List": [{"Id": "make-id"}]})]


def test_changes_that_refer_to_each_other_are_no_deadlock() -> None:
    """Two groups may name each other in their rules: both are made before either rule."""
    one = change("one", Step("make one", {}), Step("rule one", {"Id": Ref("thing", "two")}))
    two = change("two", Step("make two", {}), Step("rule two", {"Id": Ref("thing", "one")}))
    recorder = Recorder()
    execute(Plan((one, two)), recorder, LIMITS)
    assert set(recorder.verbs[:2]) == {"make one", "make two"}
    assert set(recorder.verbs[2:]) == {"rule one", "rule two"}


def test_what_requires_a_change_waits_for_its_end() -> None:
    """`requires` orders changes that have nothing to refer to, such as deletions."""
    recorder = Recorder(looks=2)
    group = change("group", Step("delete group", {}), requires=(("thing", "instance"),))
    execute(Plan((group, change("instance", Step("slow end", {}), Step("last", {})))), recorder, LIMITS)
    assert recorder.verbs == ["slow end", "last", "delete group"]


def test_all_waits_share_one_look() -> None:
    """Ten things that take a while are looked at together."""
    recorder = Recorder(looks=1)
    plan = Plan(tuple(change(f"t{number}", Step(f"slow {number}", {})) for number in range(10)))
    execute(plan, recorder, Limits(workers=10, pace=Pace(first=0.05, gather=0.2)))
    assert len(recorder.looked[-1]) >= 1
    assert max(len(identities) for identities in recorder.looked) == 10


def test_not_yet_is_tried_again() -> None:
    """What the API does not show yet is no error, as long as patience lasts."""
    recorder = Recorder(fail={"make": [CallFailed("not visible", code="NotYet")] * 3})
    execute(Plan((change("one", Step("make", {})),)), recorder, LIMITS)
    assert recorder.verbs == ["make"]


def test_patience_ends() -> None:
    """What stays "not yet" is an error in the end, and it is the API's own."""
    recorder = Recorder(fail={"make": [CallFailed("not visible", code="NotYet")] * 3})
    with pytest.raises(CallFailed) as caught:
        execute(Plan((change("one", Step("make", {})),)), recorder, Limits(patience=0.0, pace=Pace(first=0.0)))
    assert caught.value.code == "NotYet"


def test_patience_lasts_no_longer_than_a_wait() -> None:
    """Who gives little time for a wait does not want to wait longer for something that never begins."""
    recorder = Recorder(fail={"make": [CallFailed("not visible", code="NotYet")] * 3})
    with pytest.raises(CallFailed):
        execute(Plan((change("one", Step("make", {})),)), recorder, Limits(wait_timeout=0.0, patience=60.0, pace=Pace(first=0.0)))


def test_a_wait_that_times_out_fails_with_the_last_state() -> None:
    """Time over is a failure, not a warning, and names what was seen."""
    with pytest.raises(TimedOut) as caught:
        execute(Plan((change("one", Step("slow", {})),)), Recorder(looks=99), Limits(wait_timeout=0.0, pace=Pace(first=0.0)))
    assert caught.value.wanted == "ready"
    assert caught.value.found == "pending"


def test_a_failure_stops_only_what_needs_it() -> None:
    """Independent changes are carried out; the result says what was done, what failed, and what was not done."""
    recorder = Recorder(fail={"make": [CallFailed("no room", code="AddressLimitExceeded")]})
    broken = change("broken", Step("make", {}))
    needs = change("needs", Step("use", {"Id": Ref("thing", "broken")}))
    after = change("after", Step("end", {}), requires=(("thing", "broken"),))
    free = change("free", Step("other", {}))
    with pytest.raises(CallFailed) as caught:
        execute(Plan((broken, needs, after, free)), recorder, LIMITS)
    details = caught.value.details
    assert [one["name"] for one in details["done"]] == ["free"]
    assert [one["name"] for one in details["failed_changes"]] == ["broken"]
    assert [one["name"] for one in details["not_done"]] == ["needs", "after"]
    assert details["changed"] is True
    assert caught.value.resource == "thing broken"


def test_several_failures_are_told_together() -> None:
    """Two causes are both named, so that one run is enough to learn of both."""
    errors = {"make a": [CallFailed("no room", code="A")], "make b": [CallFailed("no right", code="B")]}
    plan = Plan((change("a", Step("make a", {})), change("b", Step("make b", {}))))
    with pytest.raises(PartlyApplied) as caught:
        execute(plan, Recorder(fail=errors), LIMITS)
    assert "no room" in caught.value.message
    assert "no right" in caught.value.message
    assert caught.value.details["changed"] is False


def test_steps_done_before_a_failure_are_told() -> None:
    """A change that failed half way says which of its steps were done."""
    recorder = Recorder(fail={"second": [CallFailed("no", code="X")]})
    with pytest.raises(CallFailed) as caught:
        execute(Plan((change("one", Step("first", {}), Step("second", {}), Step("third", {})),)), recorder, LIMITS)
    assert caught.value.details["failed_changes"][0]["steps_done"] == ["first"]
    assert caught.value.details["failed_changes"][0]["steps_left"] == ["second", "third"]


def test_a_plan_that_waits_for_itself_fails() -> None:
    """Changes that require each other end as an error instead of a hang."""
    one = change("one", Step("a", {}), requires=(("thing", "two"),))
    two = change("two", Step("b", {}), requires=(("thing", "one"),))
    with pytest.raises(PartlyApplied):
        execute(Plan((one, two)), Recorder(), LIMITS)


def test_steps_that_can_go_together_do() -> None:
    """Ten equal wishes are one effect, and each change gets what is its own of the answer."""
    together = Together()
    user = change("user", Step("use", {"name": Ref("thing", "n3")}))
    execute(Plan((*many(*(f"n{number}" for number in range(10))).changes, user)), together, LIMITS)
    assert together.sizes == [10, 1]
    assert together.done[-1] == ("use", {"name": "n3"})


def test_unequal_steps_go_apart_and_large_batches_are_cut() -> None:
    """Only equal keys share an effect, and no more than the batch allows."""
    together = Together(most=4)
    execute(Plan((*many(*"abcdefghi").changes, *many("x", "y", same="other").changes)), together, LIMITS)
    assert sorted(together.sizes) == [1, 2, 4, 4]


def test_a_batch_that_fails_is_halved_until_its_culprit_is_alone() -> None:
    """One bad name among eight costs itself only, and few attempts."""
    together = Together(bad="f")
    with pytest.raises(CallFailed) as caught:
        execute(many(*"abcdefgh"), together, LIMITS)
    assert caught.value.resource == "thing f"
    assert sorted(params["name"] for _verb, params in together.done) == list("abcdegh")
    assert len(together.sizes) == 1 + 2 + 2 + 2


def test_a_batch_that_fails_for_all_is_not_tried_in_parts() -> None:
    """Where smaller batches would fail alike, there is one attempt, and every change says why it was not done."""
    together = Together(bad="f", blame="Forbidden")
    with pytest.raises(PartlyApplied) as caught:
        execute(many(*"abcdefgh"), together, LIMITS)
    assert together.sizes == [8]
    assert len(caught.value.details["failed_changes"]) == 8

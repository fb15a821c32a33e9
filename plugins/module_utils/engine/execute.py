# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carry out a plan: every step as soon as what it refers to is known, several at once, all waiting in one loop.

One thread decides; the workers only perform steps and look. So there is no lock and no shared state.
"""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Hashable, Iterator, List, Mapping, Optional, Tuple

from .errors import InvalidInput, PartlyApplied, SteadfastError
from .plan import Change, Plan, Ref, Step, resolve
from .wait import Pace, Wait, Waits

Address = Tuple[str, str]
#: So many failures are told in a message; data about all of them are in the result.
_TOLD = 10


@dataclass(frozen=True)
class Performed:
    """What a step yields for Refs, and what has to be waited for before it counts as done."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    wait: Optional[Wait] = None


@dataclass(frozen=True)
class Batch:
    """Steps with an equal `key` may be carried out as one effect, `most` of them at once. Doing one twice must be harmless."""

    key: Hashable
    most: int


class Performer:
    """How steps are carried out and states looked up; the executor decides when. Called from worker threads."""

    def perform(self, step: Step) -> Performed:
        """Carry out `step`, whose params hold no Ref any more."""
        raise NotImplementedError

    def batch(self, step: Step) -> Optional[Batch]:
        """Which other steps may be carried out with `step` as one; None: it is carried out alone."""
        return None

    def perform_together(self, steps: List[Step]) -> List[Performed]:
        """Carry out steps of one batch as one effect: what each yields, in their order. An error says that none of them counts as done."""
        raise NotImplementedError

    def divides(self, error: SteadfastError) -> bool:
        """Whether `error` of a batch may be the fault of one of its steps, so that smaller batches are worth a try."""
        return True

    def again(self, step: Step, error: SteadfastError) -> bool:
        """Whether `error` only says "not yet", so that `step` (as planned, with its Refs) may succeed a little later."""
        raise NotImplementedError

    def look(self, kind: str, identities: List[str]) -> Mapping[str, Any]:
        """The present state of each that is there, in as few calls as possible."""
        raise NotImplementedError


@dataclass(frozen=True)
class Limits:
    """How much at once and how long: workers, seconds per wait, seconds in which "not yet" is believed (at most those of a wait).

    Raises InvalidInput for a time that is less than nothing.
    """

    workers: int = 16
    wait_timeout: float = 300.0
    patience: float = 60.0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        if self.wait_timeout < 0:
            do = "Give seconds, 0 or more."
            raise InvalidInput("wait_timeout cannot be meant", found=f"{self.wait_timeout:g}", do=do)


@dataclass
class _Job:
    """One change on its way: `position` is the step to do next."""

    change: Change
    position: int = 0
    outputs: Dict[str, Any] = field(default_factory=dict)
    #: What the step yields once the wait for it is over.
    coming: Mapping[str, Any] = field(default_factory=dict)
    busy: bool = False
    error: Optional[SteadfastError] = None
    tries: int = 0
    not_before: float = 0.0
    give_up: Optional[float] = None
    #: So many steps at most go together with this one; halved when a batch fails, so that its culprit ends up alone.
    company: Optional[int] = None

    @property
    def done(self) -> bool:
        return self.error is None and self.position >= len(self.change.steps)

    @property
    def step(self) -> Step:
        return self.change.steps[self.position]


def execute(plan: Plan, performer: Performer, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
    """Carry out all of `plan`. What fails stops only what needs it; then raises PartlyApplied, or the error of a lone change."""
    run = _Run(plan, performer, limits, clock)
    with ThreadPoolExecutor(max_workers=limits.workers, thread_name_prefix="step") as pool:
        try:
            while run.advance(pool):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    run.report()


class _Run:
    def __init__(self, plan: Plan, performer: Performer, limits: Limits, clock: Callable[[], float]) -> None:
        self._jobs: Dict[Address, _Job] = {change.address: _Job(change) for change in plan.effective}
        self._performer = performer
        self._limits = limits
        self._clock = clock
        self._waits = Waits(limits.pace)
        self._steps: Dict["Future[List[Performed]]", List[_Job]] = {}
        self._looks: Dict["Future[Mapping[str, Any]]", str] = {}

    def advance(self, pool: ThreadPoolExecutor) -> bool:
        """Start what can start, wait for the next event, take it in. False when nothing is left to do."""
        later = self._start(pool)
        left = self._waits.seconds_left(self._clock(), idle=not self._steps)
        if left == 0.0 and not self._looks:
            for kind, identities in self._waits.wanted().items():
                self._looks[pool.submit(self._performer.look, kind, identities)] = kind
        flying: List["Future[Any]"] = [*self._steps, *self._looks]
        pauses = [seconds for seconds in (later, None if self._looks else left) if seconds is not None]
        if not flying and not pauses:
            return False
        if flying:
            done, _unfinished = wait_for(flying, timeout=min(pauses) if pauses else None, return_when=FIRST_COMPLETED)
            self._take_in(done)
        else:
            time.sleep(min(pauses))
        return True

    def _start(self, pool: ThreadPoolExecutor) -> Optional[float]:
        """Hand every step that can go to the workers; the seconds until the next that only has to be patient."""
        now, soonest = self._clock(), None
        going: List[Tuple[_Job, Step]] = []
        for job in self._jobs.values():
            if job.busy or job.done or job.error or not self._ready(job):
                continue
            if job.not_before > now:
                soonest = min(soonest or job.not_before, job.not_before)
                continue
            job.busy = True
            going.append((job, Step(job.step.verb, resolve(job.step.params, self._known))))
        for together in self._batches(going):
            steps = [step for _job, step in together]
            self._steps[pool.submit(_perform, self._performer, steps)] = [job for job, _step in together]
        return None if soonest is None else max(0.0, soonest - now)

    def _batches(self, going: List[Tuple[_Job, Step]]) -> Iterator[List[Tuple[_Job, Step]]]:
        """What goes together, in order of the plan."""
        groups: Dict[Hashable, List[Tuple[_Job, Step]]] = {}
        sizes: Dict[Hashable, int] = {}
        for number, (job, step) in enumerate(going):
            batch = self._performer.batch(step)
            key: Hashable = number if batch is None else (batch.key, job.company)
            groups.setdefault(key, []).append((job, step))
            sizes[key] = 1 if batch is None else min(batch.most, job.company or batch.most)
        for key, group in groups.items():
            for first in range(0, len(group), sizes[key]):
                yield group[first : first + sizes[key]]

    def _ready(self, job: _Job) -> bool:
        if any(address in self._jobs and not self._jobs[address].done for address in job.change.requires):
            return False
        return all(ref.attribute in self._jobs[ref.address].outputs for ref in references(job.step.params) if ref.address in self._jobs)

    def _known(self, ref: Ref) -> Any:
        return self._jobs[ref.address].outputs[ref.attribute]

    def _take_in(self, done: Any) -> None:
        now = self._clock()
        for future in done:
            if future in self._steps:
                self._performed(self._steps.pop(future), future, now)
            else:
                self._looked(self._looks.pop(future), future, now)

    def _performed(self, jobs: List[_Job], future: "Future[List[Performed]]", now: float) -> None:
        try:
            answers = future.result()
        except SteadfastError as error:
            if len(jobs) > 1 and self._performer.divides(error):
                for job in jobs:
                    job.busy, job.company = False, max(1, len(jobs) // 2)
                return
            for job in jobs:
                self._failed(job, error, now)
            return
        for number, job in enumerate(jobs):
            performed = answers[number]
            job.tries, job.give_up, job.company = 0, None, None
            job.coming = performed.outputs
            if performed.wait is None:
                self._finished(job)
            else:
                self._waits.add(job.change.address, performed.wait, now, self._limits.wait_timeout)

    def _failed(self, job: _Job, error: SteadfastError, now: float) -> None:
        job.busy = False
        job.give_up = job.give_up or now + min(self._limits.patience, self._limits.wait_timeout)
        if now < job.give_up and self._performer.again(job.step, error):
            job.not_before = now + self._limits.pace.delay(job.tries)
            job.tries += 1
        else:
            job.error = error

    def _finished(self, job: _Job) -> None:
        job.outputs.update(job.coming)
        job.position += 1
        job.busy = False

    def _looked(self, kind: str, future: "Future[Mapping[str, Any]]", now: float) -> None:
        try:
            seen = {kind: dict(future.result())}
        except SteadfastError as error:
            for address in self._waits.drop(kind):
                self._jobs[address].busy, self._jobs[address].error = False, error
            return
        for address, problem in self._waits.settle(seen, now):
            job = self._jobs[address]
            if problem is None:
                self._finished(job)
            else:
                job.busy, job.error = False, problem

    def report(self) -> None:
        """Say nothing if all is done; else raise with an account of what was done and what was not."""
        failed = [job for job in self._jobs.values() if job.error]
        if all(job.done for job in self._jobs.values()):
            return
        details = {
            "done": [_account(job) for job in self._jobs.values() if job.done],
            "failed_changes": [{**_account(job), "error": job.error.to_dict()} for job in failed if job.error],
            "not_done": [_account(job) for job in self._jobs.values() if not job.done and not job.error],
        }
        error = _summary(failed, details)
        error.details = {**details, "changed": any(job.position for job in self._jobs.values())}
        raise error


def _perform(performer: Performer, steps: List[Step]) -> List[Performed]:
    return [performer.perform(steps[0])] if len(steps) == 1 else performer.perform_together(steps)


def references(value: Any) -> Iterator[Ref]:
    """Every Ref inside `value`."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from references(item)


def _account(job: _Job) -> Dict[str, Any]:
    steps = [step.verb for step in job.change.steps]
    return {
        "kind": job.change.kind,
        "name": job.change.name,
        "action": job.change.action,
        "steps_done": steps[: job.position],
        "steps_left": steps[job.position :],
    }


def _summary(failed: List[_Job], details: Mapping[str, List[Any]]) -> SteadfastError:
    done, not_done = len(details["done"]), len(details["not_done"])
    counts = f"{done} done, {len(failed)} failed, {not_done} not begun or not finished"
    if not failed:
        waiting = ", ".join(f"{item['kind']} {item['name']}" for item in details["not_done"])
        return PartlyApplied(f"the changes wait for each other ({counts})", resource=waiting)
    first = failed[0]
    if len(failed) == 1 and isinstance(first.error, SteadfastError):
        error = first.error
        error.resource = error.resource or f"{first.change.kind} {first.change.name}"
        if done + not_done:
            error.do = f"{error.do} Of the plan: {counts}; run again to go on from there.".strip()
        return error
    told = [(f"{job.change.kind} {job.change.name}", job.error) for job in failed[:_TOLD] if job.error]
    causes = "; ".join(f"{name}: {error.why}" + (f", found {error.found}" if error.found else "") for name, error in told)
    causes += f"; and {len(failed) - _TOLD} more, in failed_changes" if len(failed) > _TOLD else ""
    return PartlyApplied(f"some changes failed ({counts})", found=causes, do="Correct the causes and run again; it goes on from there.")

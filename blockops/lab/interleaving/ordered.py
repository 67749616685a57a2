"""A case run under an order, with what each step of its operation touched.

What a step is known to touch errs on the side of too much.  A step of the guest or of a job touches all
devices.  So does a step of the hypervisor, but for making and removing files: whatever else a command does,
it asks or changes what a request could ask or change.  Management touches only files, and sends.
"""

import enum
from collections.abc import Callable, Container

import attrs

from blockops.lab.case import Case
from blockops.lab.execution import Execution
from blockops.lab.faults.kinds import MUTATING
from blockops.lab.foregone import Place
from blockops.lab.guest import Runner
from blockops.lab.interleaving.footprint import Footprint
from blockops.lab.interleaving.search import Taken
from blockops.machine import Background
from blockops.steps import Phase, Step

IDLE = "idle"
"""Whose step it was where the guest had the turn and no lane could take one."""

_DEVICES = "the devices"
_TOPS = "what they show"
_FILES_ONLY = frozenset({Phase.CREATE, Phase.UNLINK})


class Trace(enum.Enum):
    """Which steps of the operation are kept with what they touched; all of them cost half a run more."""

    NONE = "none"
    DEPARTURES = "those out of turn"
    ALL = "all of them"


def execution_of(case: Case, known: Container[Place] = (), *, recording: bool = False) -> Execution:
    """Return what runs *case* under its order; the rest as in `Execution`."""
    kind = OrderedExecution if case.order.departures else Execution
    return kind(case, known=known, recording=recording)


@attrs.define(eq=False)
class OrderedExecution(Execution):
    """A case on its way under its order.

    *taken*: the steps that *trace* asks for; where it asks for any, the clock keeps the host operations.
    """

    trace: Trace = Trace.NONE
    taken: list[Taken] = attrs.field(factory=list)
    departures: int = 0
    _turn_number: int = 0
    _due: dict[int, tuple[str, ...]] = attrs.field(factory=dict)
    _ordered: bool = False
    _said: tuple[str, Step] | None = None
    _lane: Runner | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.clock.recording = self.recording or self.trace is not Trace.NONE
        order = self.case.order
        self._due = {one.turn: order.before(one.turn) for one in order.departures}

    def _operation(self) -> None:
        self._ordered = bool(self._due) or self.trace is Trace.ALL
        super()._operation()
        self._ordered = False

    # The scheduler gives turns by calling these three; before each, those step who step out of turn.

    def _step_operation(self) -> None:
        if self._ordered:
            self._depart()
            if self._busy():
                self._in_turn("o", super()._step_operation)
        else:
            super()._step_operation()

    def _step_job(self, job: Background) -> bool:
        if not self._ordered:
            return super()._step_job(job)
        self._depart()
        return self._in_turn(_name(job), lambda: Execution._step_job(self, job))

    def _step_guest(self) -> None:
        if self._ordered:
            self._depart()
            self._in_turn(IDLE, super()._step_guest)
        else:
            super()._step_guest()

    def _step_lane(self, runner: Runner) -> bool:
        self._lane = runner
        return super()._step_lane(runner)

    def say(self, actor: str, *words: object) -> None:
        if words and isinstance(words[0], Step):
            self._said = actor, words[0]
        super().say(actor, *words)

    def _depart(self) -> None:
        self._turn_number += 1
        for task in self._due.pop(self._turn_number, ()):
            step = self._step_of(task)
            if step is not None:
                self.departures += 1
                self.say("fault", task, " steps out of turn")
                if self.trace is Trace.NONE:
                    step()
                else:
                    self._take(task, step, out_of_turn=True)
        # From here on it is the scheduler's own order, where nobody wants to know what else could be.
        self._ordered = bool(self._due) or self.trace is Trace.ALL

    def _in_turn(self, task: str, step: Callable[[], object]) -> bool:
        return self._take(task, step) if self.trace is Trace.ALL else bool(step())

    def _step_of(self, task: str) -> Callable[[], object] | None:
        """Return how *task* takes a step, None where it cannot."""
        if task not in self._able():
            return None
        if task == "o":
            return super()._step_operation
        if task.startswith("g"):
            lane = self._lanes()[task]
            return lambda: self._alive() and self._step_lane(lane)
        assert self.hypervisor is not None
        job = next(job for job in self.hypervisor.machine.background if _name(job) == task)
        return lambda: self._alive() and Execution._step_job(self, job)

    def _take(self, task: str, step: Callable[[], object], *, out_of_turn: bool = False) -> bool:
        able = self._able() if self.trace is Trace.ALL else ()
        first, self._said, self._lane = len(self.clock.operations), None, None
        progress = bool(step())
        actual = self._lane_name() if task == IDLE else task
        self.taken.append(Taken(actual, self._touched(actual, first), out_of_turn, able))
        return progress

    def _able(self) -> tuple[str, ...]:
        operation = ("o",) if self._busy() else ()
        jobs = () if self.hypervisor is None else map(_name, self.hypervisor.machine.background)
        lanes = (name for name, lane in self._lanes().items() if not lane.blocked)
        return (*operation, *jobs, *lanes)

    def _lanes(self) -> dict[str, Runner]:
        return {f"g-{number}": lane for number, lane in enumerate(dict.fromkeys(self._rotation))}

    def _lane_name(self) -> str:
        return next((name for name, lane in self._lanes().items() if lane is self._lane), IDLE)

    def _touched(self, task: str, first: int) -> Footprint:
        """Return what the step just taken touched, whose host operations are those from *first* on."""
        operations = self.clock.operations[first:]
        written = frozenset(one.path for one in operations if one.operation in MUTATING)
        files = Footprint(frozenset(one.path for one in operations) - written, written)
        return files | self._touched_in_memory(task)

    def _touched_in_memory(self, task: str) -> Footprint:
        if task == IDLE:
            return Footprint()
        if task.startswith("g"):
            return Footprint(writes=frozenset({_DEVICES}))
        actor, step = self._said or ("", None)
        files_only = actor == "hypervisor" and step is not None and step.phase in _FILES_ONLY
        if task == "o" and (actor == "management" or files_only):
            return Footprint(reads=frozenset({_TOPS}))
        return Footprint(writes=frozenset({_DEVICES, _TOPS}))


def _name(job: Background) -> str:
    return f"j-{job.device}"

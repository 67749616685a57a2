"""A job: work on one device that goes on between commands, one step at a time.

Somebody has to step it: the lab's scheduler (one step of each job after each step of the operation), or
from Python `run_jobs`.  A job is at a *pause point* before each piece of work.  There it stops while
somebody else drains its device or a client has paused it, and there it sees that it was cancelled; what it
has begun, one copy at most, it ends first.

A job reserves its device.  It starts `running`, and when it has ended it lets go of the device, tells so in
an event, and is gone: only the event says how it ended (as QEMU's, which dismisses its block jobs itself).
"""

import abc
from collections.abc import Callable, Generator, Mapping
from typing import ClassVar, TypeAlias, TypeVar

import attrs

from blockops.device import Device, Hold
from blockops.errors import BlockError
from blockops.jobs.state import IllegalMove, Move, State, after
from blockops.machine import Machine
from blockops.steps import Step

T = TypeVar("T")

Tell: TypeAlias = Callable[[str, Mapping[str, object]], None]
"""Tells clients of an event: its name and its data."""

Work: TypeAlias = Generator[Step | None, None, T]
"""What a job does; None: there is nothing to do now."""


ENDS = ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED")
"""The events that say that a job has ended."""


class Cancelled(Exception):
    """The job was cancelled: not an error, somebody wanted it."""


@attrs.define(eq=False)
class Job(abc.ABC):
    """A job on the device *device*; *offset* counts the bytes done.

    *completing*, *cancelling* and *forced* are what clients asked for, *user_paused* whether one (or an
    error) has paused it, *io_status* "ok", "failed" or "nospace" after the last error.
    """

    kind: ClassVar[str]
    machine: Machine
    device: str
    tell: Tell
    state: State = State.CREATED
    offset: int = 0
    io_status: str = "ok"
    completing: bool = False
    cancelling: bool = False
    forced: bool = False
    user_paused: bool = False
    _life: Work[None] | None = None

    @property
    @abc.abstractmethod
    def length(self) -> int:
        """How many bytes it will have done if nothing comes in between."""

    @abc.abstractmethod
    def _work(self) -> Work[None]:
        """Do the work to its end; raises `Cancelled`, or a `BlockError` that the job ends with."""

    @abc.abstractmethod
    def _drop(self) -> None:
        """Undo what it did to the graph: the device shows its source again."""

    @property
    def subject(self) -> str:
        """What the device says is using it."""
        return f"its {self.kind} job"

    @property
    def owner(self) -> Device:
        """The device that it works on."""
        return self.machine.device(self.device)

    @property
    def ready(self) -> bool:
        return self.state in (State.READY, State.STANDBY)

    def start(self) -> None:
        """Reserve the device and begin; the first step is taken by whoever steps jobs."""
        self.move(Move.START)
        self.owner.user = self.subject
        self.machine.background.append(self)
        self._life = self._from_start_to_end()

    def step(self) -> Step | None:
        """Take one step and return it, or None where there was nothing to do."""
        assert self._life is not None, "a job was stepped that was not started"
        return next(self._life, None)

    def move(self, move: Move) -> None:
        """Make a move, or raise `IllegalMove` and change nothing."""
        self.state = after(self.device, self.state, move)

    # --------------------------------------------------------------------------- what clients ask for

    def complete(self) -> None:
        """Ask for the end of a job that is ready; refused for one that is being cancelled."""
        if self.cancelling:
            raise IllegalMove(self.device, self.state, Move.COMPLETE)
        self.move(Move.COMPLETE)
        self.completing = True

    def cancel(self, *, force: bool = False) -> None:
        """Ask for the end; at ready, unless by *force*, what was copied is brought to one point in time."""
        self.move(Move.CANCEL)
        self.forced = self.forced or force or not self.ready
        self.cancelling = True
        self.user_paused = False

    def pause(self) -> None:
        """Let it rest at its next pause point."""
        self.move(Move.ASK_PAUSE)
        self.user_paused = True

    def resume(self) -> None:
        """Let it go on, its last error forgotten."""
        self.move(Move.ASK_RESUME)
        self.user_paused = False
        self.io_status = "ok"

    # ------------------------------------------------------------------------------------- its life

    def pause_point(self) -> Work[None]:
        """Rest while it must; raise `Cancelled` where it is to end at once."""
        if self._must_rest():
            self.move(Move.PAUSE)
            while self._must_rest():
                yield None
            self.move(Move.RESUME)
        if self.cancelling and self.forced:
            raise Cancelled

    def _must_rest(self) -> bool:
        return self.user_paused or Hold.DRAIN in self.owner.holds

    def _from_start_to_end(self) -> Work[None]:
        problem: BlockError | None = None
        event = "BLOCK_JOB_COMPLETED"
        try:
            yield from self._work()
            self.move(Move.FINISH)
        except Cancelled:
            event = "BLOCK_JOB_CANCELLED"
            self._abort()
        except BlockError as error:
            problem = error
            self._abort()
        self._leave()
        self.tell(event, self.facts() | ({} if problem is None else {"error": str(problem)}))

    def _abort(self) -> None:
        self.move(Move.ABORT)
        self._drop()
        self.move(Move.END)

    def _leave(self) -> None:
        self.owner.user = None
        self.machine.background.remove(self)
        self.move(Move.DISMISS)

    def facts(self) -> dict[str, object]:
        """Return what every event of a job says of it, in QMP's words; speed 0 is no limit."""
        return {
            "type": self.kind,
            "device": self.device,
            "len": self.length,
            "offset": self.offset,
            "speed": 0,
        }


def run_jobs(machine: Machine, limit: int = 100_000) -> None:
    """Step every job of the machine in turn until none has anything to do: each is ready, paused or gone.

    A job that meets the same error again and again and is to ignore it never rests: after *limit* rounds
    it is left alone.
    """
    for _ in range(limit):
        moved = [_took_a_step(job.step()) for job in tuple(machine.background)]
        if not any(moved):
            return


def _took_a_step(step: Step | None) -> bool:
    if step is None:
        return False
    if step.waits_for is not None:
        step.waits_for.complete_next()
    return True

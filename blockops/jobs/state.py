"""The states of a job and the moves between them: one table, and what it lacks is an error.

The states are QEMU's (`JobStatus` of its QAPI schema), as far as a job that stands alone needs them: its
`waiting` and `pending` are for jobs that end as a group.  `standby` is a pause at `ready`, where the
other pause is `paused`.  A cancelled job that is paused is woken first, as QEMU does it.

`complete`, `cancel`, `pause request` and `resume request` are what clients ask for.  They change no
state: the job acts on them at its next pause point.
"""

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from blockops.errors import CommandError


class State(enum.Enum):
    """Where a job stands."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    READY = "ready"
    STANDBY = "standby"
    ABORTING = "aborting"
    CONCLUDED = "concluded"
    NULL = "null"


class Move(enum.Enum):
    """What happens to a job: the first eight it does itself, the others are asked for by clients."""

    START = "started"
    PAUSE = "paused"
    RESUME = "resumed"
    CONVERGE = "made ready"
    FINISH = "finished"
    ABORT = "aborted"
    END = "ended"
    DISMISS = "dismissed"
    COMPLETE = "completed"
    CANCEL = "cancelled"
    ASK_PAUSE = "asked to pause"
    ASK_RESUME = "asked to resume"


_LIVING: Final = (State.RUNNING, State.PAUSED, State.READY, State.STANDBY)

TABLE: Final[Mapping[tuple[State, Move], State]] = {
    (State.CREATED, Move.START): State.RUNNING,
    (State.RUNNING, Move.PAUSE): State.PAUSED,
    (State.PAUSED, Move.RESUME): State.RUNNING,
    (State.RUNNING, Move.CONVERGE): State.READY,
    (State.READY, Move.PAUSE): State.STANDBY,
    (State.STANDBY, Move.RESUME): State.READY,
    (State.READY, Move.FINISH): State.CONCLUDED,
    (State.RUNNING, Move.ABORT): State.ABORTING,
    (State.READY, Move.ABORT): State.ABORTING,
    (State.ABORTING, Move.END): State.CONCLUDED,
    (State.CONCLUDED, Move.DISMISS): State.NULL,
    (State.READY, Move.COMPLETE): State.READY,
    (State.STANDBY, Move.COMPLETE): State.STANDBY,
    **{
        (state, asked): state for state in _LIVING for asked in (Move.CANCEL, Move.ASK_PAUSE, Move.ASK_RESUME)
    },
}
"""A pair that is not here is illegal: `IllegalMove`, and nothing changes."""


@attrs.define(eq=False)
class IllegalMove(CommandError):
    """A job cannot do, or be asked, this in the state that it is in."""

    device: str
    state: State
    move: Move

    @property
    def message(self) -> str:
        return f"The job of device '{self.device}' is {self.state.value} and cannot be {self.move.value}"


def after(device: str, state: State, move: Move) -> State:
    """Return the state that *move* leads to, or raise `IllegalMove`."""
    try:
        return TABLE[state, move]
    except KeyError:
        raise IllegalMove(device, state, move) from None

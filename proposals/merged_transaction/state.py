"""The states between two commands: none of the transaction's own; a job has its own (`blockops.jobs.state`).

A transaction prepares, commits and cleans up before it replies.  A mirror job belongs to its device and
to no client: a disconnect ends nothing.
"""

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """What the server remembers between two commands, jobs aside."""

    IDLE = "idle"


class Move(enum.Enum):
    """What changes it."""

    TRANSACTION = "transaction"
    DISCONNECT = "the client disconnects"


TABLE: Final[Mapping[tuple[State, Move], State]] = {
    (State.IDLE, Move.TRANSACTION): State.IDLE,
    (State.IDLE, Move.DISCONNECT): State.IDLE,
}

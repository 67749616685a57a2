"""The states between two commands: one.

A mirror that runs is part of the graph, where any client finds it; no client owns anything, and a
disconnect ends nothing.
"""

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """What the server remembers between two commands."""

    IDLE = "idle"


class Move(enum.Enum):
    """What changes it."""

    REOPEN = "drive-reopen"
    MIGRATE = "drive-migrate"
    DISCONNECT = "the client disconnects"


TABLE: Final[Mapping[tuple[State, Move], State]] = {
    (State.IDLE, Move.REOPEN): State.IDLE,
    (State.IDLE, Move.MIGRATE): State.IDLE,
    (State.IDLE, Move.DISCONNECT): State.IDLE,
}

"""The states between two commands: one.

The command prepares, commits and cleans up before it replies, so there is nothing that a client could
leave open, nobody else's to find, and nothing for a disconnect to end.
"""

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """What the server remembers between two commands."""

    IDLE = "idle"


class Move(enum.Enum):
    """What changes it."""

    GROUP_SNAPSHOT = "blkdev-group-snapshot-sync"
    DISCONNECT = "the client disconnects"


TABLE: Final[Mapping[tuple[State, Move], State]] = {
    (State.IDLE, Move.GROUP_SNAPSHOT): State.IDLE,
    (State.IDLE, Move.DISCONNECT): State.IDLE,
}

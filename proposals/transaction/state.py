"""The transaction session: its states, its moves, and whose it is.

Rules (semantics.md, section 3: all our choice):

* One open transaction a machine.  It belongs to the client that started it; the moves of others on it
  are illegal, but for starting a second one, which is illegal for everybody.
* A queued command that fails is not enrolled, and the transaction stays open: no move.
* Commit ends the transaction whether it succeeds or fails.  So does abort.
* A client that disconnects aborts what it has open; while its commit or abort runs, that goes on.

A pair that is not in `TABLE` is illegal: an error, and nothing changes.
"""

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from blockops.errors import UndefinedError
from blockops.qmp.command import Client


class State(enum.Enum):
    """Where the machine's one session stands."""

    IDLE = "idle"
    OPEN = "open"
    COMMITTING = "committing"
    ABORTING = "aborting"


class Move(enum.Enum):
    """What changes it."""

    START = "start"
    ENROL = "enrol"
    COMMIT = "commit"
    ABORT = "abort"
    DISCONNECT = "disconnect"
    END = "end"


TABLE: Final[Mapping[tuple[State, Move], State]] = {
    (State.IDLE, Move.START): State.OPEN,
    (State.OPEN, Move.ENROL): State.OPEN,
    (State.OPEN, Move.COMMIT): State.COMMITTING,
    (State.OPEN, Move.ABORT): State.ABORTING,
    (State.OPEN, Move.DISCONNECT): State.ABORTING,
    (State.COMMITTING, Move.DISCONNECT): State.COMMITTING,
    (State.COMMITTING, Move.END): State.IDLE,
    (State.ABORTING, Move.DISCONNECT): State.ABORTING,
    (State.ABORTING, Move.END): State.IDLE,
}


@attrs.define(eq=False)
class Session:
    """The machine's one session, and the client that it belongs to."""

    state: State = State.IDLE
    owner: Client | None = None

    def is_open_for(self, client: Client) -> bool:
        """Whether commands of *client* are queued."""
        return self.state is State.OPEN and self.owner is client

    def move(self, move: Move, client: Client) -> None:
        """Make a move for *client*, or raise `UndefinedError` and change nothing."""
        after = TABLE.get((self.state, move))
        if after is None or self._is_foreign_to(client):
            raise UndefinedError(self._refusal(move, client))
        self.state = after
        self.owner = None if after is State.IDLE else client

    def _is_foreign_to(self, client: Client) -> bool:
        return self.owner is not None and self.owner is not client

    def _refusal(self, move: Move, client: Client) -> str:
        if self.state is State.IDLE:
            return f"Cannot {move.value} a transaction: none is open"
        whose = "another client's" if self._is_foreign_to(client) else "a"
        return f"Cannot {move.value} a transaction: {whose} transaction is {self.state.value}"

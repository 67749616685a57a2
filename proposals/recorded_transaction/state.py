"""What the server remembers between two commands: how each transaction ended, and who mirrors what.

A transaction is one command, so none is ever open.  Its id is done for ever once it was done; any other
end leaves no trace, and the id may be used again.  A mirror outlives the connection that began it, or ends
with it: before a switch the target is disposable, and somebody must be there to switch.
"""

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from blockops.errors import UndefinedError
from blockops.graph.blkmirror import MirrorNode
from blockops.qmp.command import Client
from proposals.recorded_transaction.arguments import Transaction


class State(enum.Enum):
    """Where a device stands: FOLLOWED has a mirror that ends with the connection that began it."""

    PLAIN = "plain"
    MIRRORED = "mirrored"
    FOLLOWED = "followed"


class Move(enum.Enum):
    """What changes it; a transaction's actions change it when the transaction is done."""

    SNAPSHOT = "snapshot"
    REOPEN = "reopen"
    MIRROR = "mirror"
    FOLLOW = "mirror that ends with the connection"
    SWITCH = "switch"
    STOP_MIRROR = "stop-mirror"
    DISCONNECT = "the client disconnects"


TABLE: Final[Mapping[tuple[State, Move], State]] = {
    (State.PLAIN, Move.SNAPSHOT): State.PLAIN,
    (State.PLAIN, Move.REOPEN): State.PLAIN,
    (State.PLAIN, Move.MIRROR): State.MIRRORED,
    (State.PLAIN, Move.FOLLOW): State.FOLLOWED,
    (State.PLAIN, Move.STOP_MIRROR): State.PLAIN,
    (State.PLAIN, Move.DISCONNECT): State.PLAIN,
    (State.MIRRORED, Move.SWITCH): State.PLAIN,
    (State.MIRRORED, Move.STOP_MIRROR): State.PLAIN,
    (State.MIRRORED, Move.DISCONNECT): State.MIRRORED,
    (State.FOLLOWED, Move.SWITCH): State.PLAIN,
    (State.FOLLOWED, Move.STOP_MIRROR): State.PLAIN,
    (State.FOLLOWED, Move.DISCONNECT): State.PLAIN,
}


@attrs.frozen
class Mirroring:
    """A device's mirror: the filter, and the client with whose connection it ends, if it does."""

    node: MirrorNode
    owner: Client | None = None

    @property
    def state(self) -> State:
        return State.MIRRORED if self.owner is None else State.FOLLOWED


@attrs.define(eq=False)
class Memory:
    """What the server knows until it dies: done transactions by id, mirrors by device."""

    done: dict[str, Transaction] = attrs.field(factory=dict)
    mirrors: dict[str, Mirroring] = attrs.field(factory=dict)

    def state_of(self, device: str) -> State:
        """Return where *device* stands."""
        mirror = self.mirrors.get(device)
        return State.PLAIN if mirror is None else mirror.state

    def was_done(self, wanted: Transaction) -> bool:
        """Whether this very transaction was done; raises where its id was another one's."""
        known = self.done.get(wanted.id)
        if known is not None and known != wanted:
            raise UndefinedError(f"Transaction '{wanted.id}' was another one, and is done")
        return known is not None

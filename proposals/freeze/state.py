"""The freeze of one device: its states, its moves, and who froze it.

Rules (semantics.md, section 4: all our choice but the plain meaning):

* No nesting: freezing a frozen device and unfreezing one that is not frozen are errors and change
  nothing, so that two managers cannot release each other's freeze unknowingly.
* Any client may unfreeze: after a manager's death another must be able to.
* A freeze is no use: the host-side commands work on a frozen device.
* When a client's grace period ends, what it froze and nobody has thawed is thawed (hardened only).

A pair that is not in `TABLE` is illegal: an error, and nothing changes.
"""

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from blockops.errors import UndefinedError
from blockops.qmp.command import Client


class State(enum.Enum):
    """Whether a device starts the guest's requests."""

    RUNNING = "not frozen"
    FROZEN = "already frozen"


class Move(enum.Enum):
    """What changes it."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    EXPIRE = "thaw"


TABLE: Final[Mapping[tuple[State, Move], State]] = {
    (State.RUNNING, Move.FREEZE): State.FROZEN,
    (State.FROZEN, Move.UNFREEZE): State.RUNNING,
    (State.FROZEN, Move.EXPIRE): State.RUNNING,
}


@attrs.define(eq=False)
class Freezes:
    """Who froze which device; a device that is not listed is running."""

    owners: dict[str, Client] = attrs.field(factory=dict)

    def state(self, device: str) -> State:
        """Return where *device* stands."""
        return State.FROZEN if device in self.owners else State.RUNNING

    def move(self, device: str, move: Move, client: Client) -> None:
        """Make a move for *client*, or raise `UndefinedError` and change nothing."""
        state = self.state(device)
        after = TABLE.get((state, move))
        if after is None:
            raise UndefinedError(f"Device '{device}' is {state.value}")
        if after is State.FROZEN:
            self.owners[device] = client
        else:
            del self.owners[device]

    def frozen_by(self, client: Client) -> list[str]:
        """Return the devices that *client* froze and that are frozen still, in the order of freezing."""
        return [device for device, owner in self.owners.items() if owner is client]

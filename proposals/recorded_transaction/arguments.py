"""What `transaction` and its companions take.

A list, as QEMU 1.1 shipped it, and not a session: nothing is open between two commands.  Every action
names a device and an image file; formats are never probed.
"""

import enum

import attrs


class ActionType(enum.Enum):
    """What happens to a device.

    SNAPSHOT: a new overlay *file* on top.  REOPEN: the existing image *file* instead of the current one.
    MIRROR: the guest's writes go to the image *file*, too.  SWITCH: leave a mirror for its target *file*.
    """

    SNAPSHOT = "snapshot"
    REOPEN = "reopen"
    MIRROR = "mirror"
    SWITCH = "switch"


class Finish(enum.Enum):
    """How a transaction whose every action could be prepared ends: ABORT is a rehearsal."""

    COMMIT = "commit"
    ABORT = "abort"


class Ends(enum.Enum):
    """When a mirror that nobody stops or switches ends: never, or with the connection that began it."""

    STOPPED = "stopped"
    DISCONNECTED = "disconnected"


@attrs.frozen
class ActionData:
    """One device and one image file; *ends* is of a mirror only."""

    device: str
    file: str
    format: str = "qcow2"
    ends: Ends = Ends.STOPPED


@attrs.frozen
class ActionWanted:
    """One entry of the list."""

    type: ActionType
    data: ActionData


@attrs.frozen
class Transaction:
    """Arguments of `transaction`: *id* is the client's name for it, *record* a file of its own.

    The same transaction sent again answers as the first time if that one was done, and is carried out
    if it was not.
    """

    id: str
    actions: tuple[ActionWanted, ...]
    record: str
    finish: Finish = Finish.COMMIT


@attrs.frozen
class QueryTransaction:
    """Arguments of `query-transaction`."""

    id: str


@attrs.frozen
class StopMirror:
    """Arguments of `stop-mirror`."""

    device: str

"""The session transaction: queued commands prepare at once, commit pivots them all.

Source: the page's signatures; all behaviour is our choice (semantics.md, section 3).  The guest runs
between the queued commands, so commit must drain and flush every enrolled device first, and can fail;
then everything is aborted.
"""

from collections.abc import Iterable, Mapping

import attrs

from blockops.commands.action import Action, abort_all, prepare_all, switch_all, usable_device
from blockops.commands.mirror import DriveMirror, MirrorAction, drive_mirror, mirror_action
from blockops.commands.profile import Profile
from blockops.commands.reopen import DriveReopen, drive_reopen, reopen_action
from blockops.commands.resize import BlockResize, block_resize, resize_action
from blockops.commands.snapshot import SnapshotAction, SnapshotSync, snapshot_action, snapshot_sync
from blockops.errors import Leftover, UndefinedError
from blockops.machine import Machine, in_order
from blockops.qmp.command import Client, Command, Event, by_name
from blockops.qmp.shared import (
    mirror_command,
    query_command,
    reopen_command,
    resize_command,
    snapshot_command,
)
from blockops.steps import Phase, Step, Steps
from proposals.transaction.arguments import AbortTransaction, CommitTransaction, StartTransaction
from proposals.transaction.state import Move, Session

USER = "the open transaction"


@attrs.define(eq=False)
class TransactionCommands:
    """The proposal over one machine: its session, and the prepared actions in the order of queueing."""

    machine: Machine
    profile: Profile
    session: Session = attrs.field(factory=Session)
    queue: list[Action] = attrs.field(factory=list)
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command(
                "blockdev-start-transaction",
                StartTransaction,
                self.start,
                "Queue this client's snapshots, reopens and mirrors from now on.",
                "page",
            ),
            Command(
                "blockdev-commit-transaction",
                CommitTransaction,
                self.commit,
                "Make everything that is queued take effect, or nothing.",
                "page",
            ),
            Command(
                "blockdev-abort-transaction",
                AbortTransaction,
                self.abort,
                "Forget everything that is queued.",
                "page",
            ),
            snapshot_command(self.snapshot),
            reopen_command(self.reopen),
            mirror_command(self.mirror),
            resize_command(self.resize),
            query_command(self.machine),
        )

    def start(self, client: Client, wanted: StartTransaction) -> Steps[None]:
        """Open a transaction that belongs to *client*; an error if one is open."""
        self.session.move(Move.START, client)
        yield Step(Phase.NOTE, "transaction")

    def snapshot(self, client: Client, wanted: SnapshotSync) -> Steps[None]:
        """Queue a snapshot, or outside a transaction of *client* take it at once."""
        if self.session.is_open_for(client):
            yield from self._enrol(client, snapshot_action(self.machine, self.profile, wanted, user=USER))
        else:
            yield from snapshot_sync(self.machine, self.profile, wanted)

    def reopen(self, client: Client, wanted: DriveReopen) -> Steps[None]:
        """Queue a reopen, or outside a transaction of *client* do it at once."""
        if self.session.is_open_for(client):
            yield from self._enrol(client, reopen_action(self.machine, self.profile, wanted, user=USER))
        else:
            yield from drive_reopen(self.machine, self.profile, wanted)

    def mirror(self, client: Client, wanted: DriveMirror) -> Steps[None]:
        """Queue a mirror, or outside a transaction of *client* start it at once."""
        if self.session.is_open_for(client):
            yield from self._enrol(client, mirror_action(self.machine, self.profile, wanted, user=USER))
        else:
            yield from drive_mirror(self.machine, self.profile, wanted)

    def resize(self, client: Client, wanted: BlockResize) -> Steps[None]:
        """Queue a resize, or outside a transaction of *client* do it at once."""
        if self.session.is_open_for(client):
            yield from self._enrol(client, resize_action(self.machine, wanted, user=USER))
        else:
            yield from block_resize(self.machine, self.profile, wanted)

    def commit(self, client: Client, wanted: CommitTransaction) -> Steps[None]:
        """Make everything that is queued visible; after an error nothing is, and the transaction is over."""
        self.session.move(Move.COMMIT, client)
        try:
            there = (name for name in self._enrolled() if name in self.machine.devices)
            enrolled = in_order(self.machine, there)
            yield from switch_all(self.machine, enrolled, self.queue)
        finally:
            self._end(client)

    def abort(self, client: Client, wanted: AbortTransaction) -> Steps[None]:
        """Undo everything that is queued, in reverse; an error names files that could not be removed."""
        self.session.move(Move.ABORT, client)
        leftovers = yield from self._drop_queue(client)
        if leftovers:
            raise UndefinedError("The transaction is aborted", leftovers=leftovers)

    def disconnected(self, client: Client) -> Steps[None]:
        """Abort what *client* has open."""
        if self.session.is_open_for(client):
            self.session.move(Move.DISCONNECT, client)
            yield from self._drop_queue(client)

    def _drop_queue(self, client: Client) -> Steps[tuple[Leftover, ...]]:
        try:
            return (yield from abort_all(self.queue))
        finally:
            self._end(client)

    def _end(self, client: Client) -> None:
        for name in self._enrolled():
            if name in self.machine.devices:  # else it was unplugged
                self.machine.device(name).user = None
        self.queue.clear()
        self.session.move(Move.END, client)

    def _enrolled(self) -> Iterable[str]:
        return dict.fromkeys(action.device for action in self.queue)

    def _enrol(self, client: Client, action: Action) -> Steps[None]:
        """Prepare *action* at once and queue it; if it fails, it is not enrolled."""
        device = usable_device(self.machine, action.device, USER)
        if self.profile is Profile.HARDENED:
            self._refuse_contradiction(action)
        device.user = USER
        try:
            yield from prepare_all([action])
            self.session.move(Move.ENROL, client)
            self.queue.append(action)
        finally:
            device.user = USER if device.name in self._enrolled() else None

    def _refuse_contradiction(self, action: Action) -> None:
        """Raise where the queue would leave memory and disk at odds.

        What is prepared records the image that the device shows now as its backing.  That holds for one
        snapshot of a device and any mirrors of it; not for a second snapshot, nor beside a reopen.
        """
        queued = [other for other in self.queue if other.device == action.device]
        mirrors = [other for other in queued if isinstance(other, MirrorAction)]
        snapshots = [other for other in queued if isinstance(other, SnapshotAction)]
        if isinstance(action, MirrorAction):
            fits = len(mirrors) + len(snapshots) == len(queued)
        else:
            fits = not queued or (isinstance(action, SnapshotAction) and len(mirrors) == len(queued))
        if not fits:
            raise UndefinedError(
                f"Device '{action.device}' has another change queued that rules this one out"
            )

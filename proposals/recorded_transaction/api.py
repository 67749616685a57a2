"""The recorded transaction from Python: plain calls that run to their end."""

from collections.abc import Iterable

import attrs

from blockops.commands.profile import Profile
from blockops.machine import Machine
from blockops.qmp.command import Client
from blockops.steps import run
from proposals.recorded_transaction.arguments import (
    ActionData,
    ActionType,
    ActionWanted,
    Ends,
    Finish,
    QueryTransaction,
    StopMirror,
    Transaction,
)
from proposals.recorded_transaction.commands import RecordedTransactionCommands

Action = tuple[ActionType, str, str] | tuple[ActionType, str, str, Ends]
"""What to do, to which device, with which image file; of a mirror perhaps when it ends."""


@attrs.define(eq=False)
class RecordedTransaction:
    """The design's commands as methods of one client; each raises `CommandError`."""

    machine: Machine
    profile: Profile = Profile.HARDENED
    commands: RecordedTransactionCommands = attrs.field(init=False)
    client: Client = attrs.field(init=False, factory=lambda: Client("python"))

    def __attrs_post_init__(self) -> None:
        self.commands = RecordedTransactionCommands(self.machine, self.profile)

    def transaction(
        self, name: str, actions: Iterable[Action], record: str, finish: Finish = Finish.COMMIT
    ) -> str:
        """Carry out every action or none and return how it ended; an error means that nothing changed."""
        listed = tuple(_wanted(*action) for action in actions)
        wanted = Transaction(name, listed, record, finish)
        return str(run(self.commands.transaction(self.client, wanted))["state"])

    def query(self, name: str) -> str:
        """Return "done", or "none" where nothing has happened."""
        return str(run(self.commands.query_transaction(self.client, QueryTransaction(name)))["state"])

    def stop_mirror(self, device: str) -> None:
        """Let *device* stay on the source of its mirror."""
        run(self.commands.stop_mirror(self.client, StopMirror(device)))

    def disconnect(self) -> None:
        """Go away as a connection does: this client's mirrors end."""
        run(self.commands.disconnected(self.client))


def _wanted(kind: ActionType, device: str, file: str, ends: Ends = Ends.STOPPED) -> ActionWanted:
    return ActionWanted(kind, ActionData(device, file, ends=ends))

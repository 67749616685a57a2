"""One server over one proposal: a JSON value in, a JSON value out, whatever comes in.

Commands run one at a time, as QEMU's main loop ran them: one that arrives while another is under way
waits for it.  A broken invariant of our own (an AssertionError) is not an error reply: it propagates.
"""

from collections.abc import Mapping

import attrs

from blockops.commands.profile import Profile
from blockops.errors import BlockError
from blockops.qmp.command import Client, Command, Proposal
from blockops.qmp.errors import BadMember, CommandNotFound, NotAnObject
from blockops.qmp.reply import Json, Style, error_reply
from blockops.qmp.schema import parse
from blockops.steps import Phase, Step, Steps

MEMBERS = ("execute", "arguments", "id")


class Server:
    """Serves one proposal; *style* is how errors are written (by default as in the profile's time)."""

    def __init__(self, proposal: Proposal, style: Style | None = None) -> None:
        self.proposal = proposal
        self.style = style or _style_of(proposal.profile)
        self._names = _all_names(proposal.commands)
        self._busy = False

    def connect(self, name: str) -> "Connection":
        """Return a new connection; *name* is for people to read."""
        return Connection(self, Client(name))

    def command(self, name: str) -> Command:
        """Return the command of this name or alias, or raise `CommandNotFound`."""
        try:
            return self._names[name]
        except KeyError:
            raise CommandNotFound(name) from None

    def undisturbed(self) -> Steps[None]:
        """Wait until no command is under way."""
        while self._busy:
            yield Step(Phase.WAIT, "monitor")

    def run_alone(self, steps: Steps[object]) -> Steps[object]:
        """Run *steps* while no other command runs."""
        yield from self.undisturbed()
        self._busy = True
        try:
            return (yield from steps)
        finally:
            self._busy = False


def _style_of(profile: Profile) -> Style:
    return Style.OF_2012 if profile is Profile.AS_POSTED else Style.TODAY


def _all_names(commands: Mapping[str, Command]) -> dict[str, Command]:
    names = {alias: command for command in commands.values() for alias in command.aliases}
    return names | dict(commands)


@attrs.define(eq=False)
class Connection:
    """One client's way to a server."""

    server: Server
    client: Client

    def execute(self, message: object) -> Steps[Json]:
        """Carry out one message and return the reply: "return" or "error", and the message's "id"."""
        try:
            command, arguments = self._understand(message)
            value = yield from self.server.run_alone(command.handler(self.client, arguments))
            reply: Json = {"return": {} if value is None else value}
        except BlockError as error:
            reply = {"error": error_reply(error, self.server.style)}
        if isinstance(message, dict) and "id" in message:
            reply["id"] = message["id"]
        return reply

    def disconnect(self) -> Steps[None]:
        """End the connection: wait for a command that is under way, then let the proposal react."""
        yield from self.server.undisturbed()
        yield from self.server.proposal.disconnected(self.client)

    def _understand(self, message: object) -> tuple[Command, object]:
        if not isinstance(message, dict):
            raise NotAnObject("QMP input")
        for member in message:
            if member not in MEMBERS:
                raise BadMember(str(member), "is unexpected")
        command = self.server.command(_execute_member(message))
        return command, parse(command.arguments, message.get("arguments", {}), command.renamed)


def _execute_member(message: Mapping[str, object]) -> str:
    if "execute" not in message:
        raise BadMember("execute", "is missing")
    name = message["execute"]
    if not isinstance(name, str):
        raise BadMember("execute", "must be a string")
    return name

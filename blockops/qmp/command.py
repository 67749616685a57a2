"""What a proposal offers to clients: commands by name, and what happens when a client goes away."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import attrs

from blockops.commands.profile import Profile
from blockops.machine import Machine
from blockops.steps import Steps


@attrs.define(eq=False)
class Client:
    """One connection; two connections of the same name are two clients."""

    name: str


# The second argument is an instance of the command's arguments class.
Handler: TypeAlias = Callable[[Client, Any], Steps[object]]


@attrs.frozen
class NoArguments:
    """The arguments of a command that has none."""


@attrs.frozen
class Command:
    """One command: *handler* yields steps and returns what goes into "return" (None: an empty object).

    *aliases* are other names of the command, *renamed* maps other names of its arguments to the page's;
    *extensions* are arguments on nobody's signature.  *source*: "page", "patch" or "our choice".
    """

    name: str
    arguments: type
    handler: Handler
    summary: str
    source: str
    aliases: tuple[str, ...] = ()
    renamed: Mapping[str, str] = attrs.field(factory=dict)
    extensions: tuple[str, ...] = ()


@attrs.frozen
class Event:
    """Something the server tells its clients unasked."""

    name: str
    data: Mapping[str, object]


class Proposal(Protocol):
    """One design over one machine."""

    @property
    def machine(self) -> Machine: ...

    @property
    def profile(self) -> Profile: ...

    @property
    def commands(self) -> Mapping[str, Command]:
        """The commands by their first name."""

    @property
    def events(self) -> list[Event]:
        """The events so far, oldest first."""

    def disconnected(self, client: Client) -> Steps[None]:
        """Do what the design does when a connection ends."""


def by_name(*commands: Command) -> dict[str, Command]:
    """Return *commands* by name, in order."""
    return {command.name: command for command in commands}

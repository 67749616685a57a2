"""What is wrong with a message before any command has run; one class for each of 2012's."""

import attrs

from blockops.errors import BlockError


class BadMessage(BlockError):
    """A message that no command can be made of."""


@attrs.define(eq=False)
class NotAnObject(BadMessage):
    """The message, or its "arguments", is not a JSON object."""

    subject: str

    @property
    def message(self) -> str:
        return f"{self.subject} must be a JSON object"


@attrs.define(eq=False)
class BadMember(BadMessage):
    """A member of the message itself is missing, unknown, or not what it must be."""

    member: str
    problem: str

    @property
    def message(self) -> str:
        return f"QMP input member '{self.member}' {self.problem}"


@attrs.define(eq=False)
class CommandNotFound(BadMessage):
    """The server has no command of this name."""

    name: str

    @property
    def message(self) -> str:
        return f"The command {self.name} has not been found"


@attrs.define(eq=False)
class UnexpectedParameter(BadMessage):
    """An argument that the command does not have."""

    name: str

    @property
    def message(self) -> str:
        return f"Parameter '{self.name}' is unexpected"


@attrs.define(eq=False)
class MissingParameter(BadMessage):
    """An argument that the command needs."""

    name: str

    @property
    def message(self) -> str:
        return f"Parameter '{self.name}' is missing"


@attrs.define(eq=False)
class InvalidParameterType(BadMessage):
    """An argument of another JSON type."""

    name: str
    expected: str

    @property
    def message(self) -> str:
        return f"Invalid parameter type for '{self.name}', expected: {self.expected}"


@attrs.define(eq=False)
class InvalidParameterValue(BadMessage):
    """An argument that has to be one of a few words, and is another."""

    name: str
    value: str

    @property
    def message(self) -> str:
        return f"Parameter '{self.name}' does not accept value '{self.value}'"

"""A manager beside management: it wants the same, and neither knows of the other (`faults.rival`)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from blockops.errors import BlockError
from blockops.lab.evidence import Exchange
from blockops.lab.lines import Line
from blockops.management.contestant import Inexpressible
from blockops.management.desk import Answer, Lost
from blockops.steps import Phase, Step, Steps

if TYPE_CHECKING:
    from blockops.lab.execution import Execution


@attrs.define(eq=False)
class Rival:
    """Its connection, its program until that has ended, and the command that it waits for."""

    execution: "Execution"
    line: Line
    program: Steps[None] | None = None
    awaited: Exchange | None = None

    @classmethod
    def begin(cls, execution: "Execution") -> "Rival":
        """Let it begin what management was asked for, with the same files and notes."""
        case = execution.case
        program = case.contestant.program(case.use_case.id)
        assert not isinstance(program, Inexpressible), "an inexpressible use case has no cases"
        process = cls(execution, execution.switchboard.second_line())
        desk = attrs.evolve(execution.desk(), channel=process.send)
        process.program = program(desk, case.wish)
        return process

    def go_on(self) -> None:
        """Do what there is to be done up to the next command, unless an answer is still to come."""
        while self.program is not None and (self.awaited is None or self.awaited.answer is not None):
            self.execution.clock.actor = "management"
            try:
                self.execution.say("management", "the second one: ", next(self.program))
            except StopIteration:
                self._end("succeeds")
            except BlockError as error:
                self._end(f"fails: {error}")

    def send(self, command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
        """Send a command and wait for its answer."""
        hypervisor = self.execution.hypervisor
        if hypervisor is None:
            yield Step(Phase.SEND, command)
            return Lost()
        exchange = self.awaited = Exchange(command, arguments, hypervisor.faces())
        self.line.send({"execute": command, "arguments": arguments}, exchange)
        yield Step(Phase.SEND, command)
        self.awaited = None
        return Lost() if exchange.answer is None else exchange.answer

    def _end(self, how: str) -> None:
        self.program = None
        self.line.hang_up()
        self.execution.say("management", "the second one ", how)

"""How a verb ends: the exit codes of qemu-img, which are not those of the other commands.

A failure, whatever it was, is one sentence on standard error and the code that qemu-img has for "it went
wrong": 1, in `compare`, where 1 means that the images differ, 2.  Usage that is none is 1 in all of them.
"""

from collections.abc import Sequence

import click

from proposals.cli.exits import guarded

FAILED = 1
FAILURES = {"compare": 2}


class Refused(Exception):
    """A verb cannot do what it was asked to; the message is one sentence, *code* how the program ends."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def ended(command: click.Command, arguments: Sequence[str]) -> int:
    """Run *command* on *arguments*; return what its verb returned, or the code of its failure."""
    failure = [FAILURES.get(next(iter(arguments), ""), FAILED)]
    finished: list[int] = []

    def run() -> int:
        try:
            code = command.main(args=list(arguments), prog_name="blockops img", standalone_mode=False)
        except click.UsageError:
            failure[:] = [FAILED]
            raise
        except Refused as refusal:
            failure[:] = [refusal.code]
            raise click.ClickException(str(refusal)) from refusal
        finished.append(code if isinstance(code, int) else 0)
        return finished[0]

    # Its own code, unless what was printed could not be written after all.
    outcome = guarded(run)
    return outcome if [outcome] == finished else failure[0]

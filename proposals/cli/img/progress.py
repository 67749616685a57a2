"""How far a verb is: as qemu-img prints it where `-p` asks for it, else on a terminal only.

`-p` writes to standard output, wherever that goes.  Without it a line on standard error is drawn anew
while somebody looks at it, and taken away in the end.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator

import click

Tell = Callable[[int, int], None]


@contextlib.contextmanager
def progress(*, asked: bool, quiet: bool = False) -> Iterator[Tell | None]:
    """Yield what is to be told of bytes done and bytes in all; None where nobody wants to know."""
    if quiet or not (asked or sys.stderr.isatty()):
        yield None
        return
    line = _Line(to_error=not asked)
    line.say(0.0)
    try:
        yield line
    finally:
        click.echo("" if asked else "\r" + " " * 20 + "\r", err=not asked, nl=asked)


class _Line:
    """The line, written again where a hundredth more is done."""

    def __init__(self, *, to_error: bool) -> None:
        self.to_error = to_error
        self.said = 0.0

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done / total if total else 100.0
        if percent - self.said >= 1 or done == total:
            self.say(percent)

    def say(self, percent: float) -> None:
        """Write the line."""
        self.said = percent
        click.echo(f"    ({percent:.2f}/100%)\r", nl=False, err=self.to_error)

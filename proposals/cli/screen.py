"""What people see: the progress while a comparison runs, and the consoles that it is drawn on.

On a terminal a bar and the live matrix are drawn on standard error; elsewhere a plain line is written
there at each tenth of the way.  While claims are tested a terminal shows how many are.  Standard output is
for the result alone.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blockops.lab.results import Cell, Law
from blockops.report.terminal import live_matrix


class Progress(Protocol):
    """How far a comparison has come."""

    @property
    def done_cases(self) -> int:
        """Cases judged."""

    @property
    def expected_cases(self) -> int:
        """Cases to judge, as far as is known; it may grow."""

    @property
    def stored_cases(self) -> int:
        """Cases among them that were judged by an earlier run."""

    @property
    def cells(self) -> Sequence[Cell]:
        """The cells so far."""


class Watcher(Protocol):
    """Is told now and then how far a comparison has come."""

    def __call__(self, progress: Progress, /) -> None: ...


class PlainConsole(Console):
    """A console whose reader may go away: then BrokenPipeError is raised, as everywhere else."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def output() -> Console:
    """Return the console on standard output."""
    return PlainConsole(file=sys.stdout, highlight=False)


@contextmanager
def watching(laws: Sequence[Law]) -> Iterator[Watcher]:
    """Show progress on standard error for as long as the block runs."""
    with _live() as live:
        yield PlainLines() if live is None else Drawing(live, laws)


@contextmanager
def testing() -> Iterator[Callable[[int, int], None]]:
    """Show how many claims of how many are tested, on a terminal, for as long as the block runs."""
    with doing() as tell:
        yield lambda done, total: tell(f"claims: {done} of {total} tested")


@contextmanager
def doing() -> Iterator[Callable[[str], None]]:
    """Show what is being done, on a terminal, for as long as the block runs."""
    with _live() as live:

        def tell(what: str) -> None:
            if live is not None:
                live.update(Text(what, "dim"), refresh=True)

        yield tell


@contextmanager
def _live() -> Iterator[Live | None]:
    """Yield what is drawn anew on standard error, and taken away in the end; None where it is no terminal."""
    console = PlainConsole(file=sys.stderr, highlight=False)
    if not console.is_terminal:
        yield None
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield live


class Drawing:
    """Draws the bar and the matrix anew, at most a few times a second: to count cells takes a while."""

    def __init__(self, live: Live, laws: Sequence[Law]) -> None:
        self.live = live
        self.laws = laws
        self.next = 0.0
        self.began: float | None = None

    def __call__(self, progress: Progress, /) -> None:
        if (now := time.monotonic()) >= self.next:
            self.next = now + 0.5
            if self.began is None and progress.done_cases > progress.stored_cases:
                self.began = now
            left = seconds_left(progress, now - (self.began or now))
            self.live.update(drawing(progress, self.laws, self.live.console.width, left), refresh=True)


def seconds_left(progress: Progress, elapsed: float) -> float | None:
    """Return how long the cases to come will take at the pace so far; None while that says little."""
    judged = progress.done_cases - progress.stored_cases
    if elapsed < 3 or judged <= 0:
        return None
    return max(0, progress.expected_cases - progress.done_cases) * elapsed / judged


def drawing(progress: Progress, laws: Sequence[Law], width: int, left: float | None = None) -> RenderableType:
    """Return the bar, the counts and the matrix of *progress* for a terminal *width* columns wide.

    *left*: seconds to go, where that is known.
    """
    done, expected = progress.done_cases, max(progress.expected_cases, progress.done_cases, 1)
    counts = f"{done:,} of {expected:,} cases" if progress.expected_cases else "counting the cases to come"
    lines = Table.grid()
    lines.add_row(ProgressBar(total=expected, completed=done, width=min(width, 60)))
    lines.add_row(Text(f"{counts}{_words(left)}", "dim", no_wrap=True, overflow="ellipsis"))
    lines.add_row(live_matrix(progress.cells, laws, width))
    return lines


def _words(left: float | None) -> str:
    if left is None:
        return ""
    minutes = round(left / 60)
    if left < 90:
        return f", {left:.0f} s left"
    return f", {minutes} min left" if minutes < 120 else f", {minutes / 60:.0f} h left"


class PlainLines:
    """Writes a line at each tenth of the way."""

    def __init__(self) -> None:
        self.tenths = 0

    def __call__(self, progress: Progress, /) -> None:
        expected = max(progress.expected_cases, 1)
        tenths = min(10 * progress.done_cases // expected, 10)
        if tenths > self.tenths:
            self.tenths = tenths
            click.echo(f"{progress.done_cases:,} of {expected:,} cases judged", err=True)

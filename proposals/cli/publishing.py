"""What a run ends with: its reports as files, its summary on the screen, its exit code."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from blockops.lab.results import Results
from blockops.report.document import to_text
from blockops.report.html import html
from blockops.report.markdown import markdown
from blockops.report.summary import Summary
from blockops.report.tally import counted
from blockops.report.terminal import print_summary
from proposals.cli import screen
from proposals.cli.exits import CoreBroken, Exit
from proposals.cli.folder import OutputFolder


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C stop the writing of what a first one left."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def write(folder: OutputFolder, summary: Summary) -> None:
    """Put the report in all its forms into *folder*; raises CannotWrite."""
    folder.write(
        {
            "report.html": html(summary),
            "report.md": markdown(summary),
            "report.json": to_text(summary.results, summary.laws),
        }
    )


def show(summary: Summary, folder: OutputFolder, as_json: bool) -> None:
    """Print the summary, or *as_json* report.json."""
    if as_json:
        click.echo(to_text(summary.results, summary.laws), nl=False)
        return
    print_summary(screen.output(), summary)
    click.echo(f"\nThe report: {folder.path / 'report.html'} (also report.md and report.json)")


def verdict(results: Results, *, fail_on_new: bool = False) -> Exit:
    """Return the exit code, and say why where it is not 0; raises CoreBroken.

    *fail_on_new*: where there are violations that the earlier run does not have, it is NEW.
    """
    if results.broken_invariants:
        raise CoreBroken(results.broken_invariants)
    if results.interrupted:
        how = "the report is of what had been judged by then; the same command goes on from there"
        click.echo(f"blockops: interrupted; {how}", err=True)
        return Exit.INTERRUPTED
    if not any(cell.held or cell.violated for cell in results.cells):
        click.echo("blockops: inconclusive; not one case could be judged", err=True)
        return Exit.INTERRUPTED
    if fail_on_new and results.against is not None and results.against.new:
        new = counted(len(results.against.new), "distinct violation")
        click.echo(f"blockops: {new} that {results.against.earlier} does not have", err=True)
        return Exit.NEW
    return Exit.RAN

"""`blockops report`: the reports of a run again, out of its store, in every form."""

from pathlib import Path

import click

from blockops.lab.store import Told, read_store
from blockops.report.document import UnreadableReport
from blockops.report.summary import summarise
from proposals.cli import choice, publishing
from proposals.cli.exits import Exit, Unusable
from proposals.cli.folder import output_folder
from proposals.cli.stored import told_again

HELP = """Write report.html, report.md and report.json again, out of FILE.

\b
FILE is what `blockops compare` keeps beside its report; of several runs in it the one is told
that ended last.  Nothing is judged.
  blockops report blockops-report/results.sqlite --out /tmp/again
"""


@click.command("report", help=HELP, short_help="Write the reports of a run again, out of its store.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=choice.Folder(), help="Folder for the reports.  [default: the one of FILE]")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the summary.")
def report_command(file: Path, out: Path | None, as_json: bool) -> Exit:
    """Write the reports of the run in *file*; return the exit code that the run had."""
    told = latest(file)
    if not told.report:
        click.echo(
            f"blockops: {file}: the run in it has not come to its end and has left no report; the same "
            f"'blockops compare' goes on with it",
            err=True,
        )
        return Exit.INTERRUPTED
    try:
        summary = summarise(*told_again(told))
    except UnreadableReport as error:
        raise Unusable(f"{file}: {error}") from error
    with output_folder(file.parent if out is None else out) as folder, publishing.undisturbed():
        publishing.write(folder, summary)
    publishing.show(summary, folder, as_json)
    return publishing.verdict(summary.results)


def latest(file: Path) -> Told:
    """Return the run in *file* that ended last or, where none did, that began last."""
    runs = read_store(file)
    if not runs:
        raise Unusable(f"{file}: there is no run in it")
    return runs[0]

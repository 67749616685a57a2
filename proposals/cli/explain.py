"""`blockops explain`: why a case breaks the laws that it breaks, in sentences."""

import json
from pathlib import Path

import attrs
import click

from blockops.lab.explaining import explained
from blockops.report.explanation import sentences
from blockops.report.terminal import print_sentences
from proposals.cli import screen
from proposals.cli.exits import CoreBroken
from proposals.cli.replay import OUT, again

HELP = """Run one CASE again and say which laws it breaks: what was expected, what was there.

\b
CASE is an id out of a report:
  blockops explain naive-loop.as-posted.naive/group-snapshot-2/no-fault
"""


@click.command("explain", help=HELP, short_help="Say why one case breaks the laws that it breaks.")
@click.argument("case")
@click.option("--out", "folder", **OUT)
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def explain_command(case: str, folder: Path, as_json: bool) -> None:
    """Explain *case*; where its world is drawn, *folder* has the report that knows it."""
    replayed = again(case, folder)
    explanation = explained(replayed)
    if as_json:
        click.echo(json.dumps(attrs.asdict(explanation), ensure_ascii=False, indent=1))
    else:
        print_sentences(screen.output(), replayed.case, sentences(explanation))
    if replayed.broken:
        raise CoreBroken(replayed.broken)

"""`blockops claims`: the page's sentences, each with what its experiment says."""

import json
from collections.abc import Sequence

import attrs
import click

from blockops.lab.results import Claim
from blockops.lab.settings import Settings
from blockops.lab.workers import own_workers
from blockops.report.terminal import print_claims
from proposals.catalogue import contestants
from proposals.cli import choice, screen
from proposals.cli.answering import answers

HELP = """Put the wiki page's claims to the test and print what comes out.

\b
ID is a claim's id, J1 to A7; without one all are tested, within a minute.
Each claim says what would confirm it and what would refute it.

\b
Examples:
  blockops claims
  blockops claims A1 A6
  blockops claims --json P2
"""


@click.command("claims", help=HELP)
@click.argument("ids", nargs=-1, metavar="[ID]...", callback=choice.known_claims)
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def claims_command(ids: Sequence[str], as_json: bool) -> None:
    """Run the experiments of *ids* and print their answers."""
    jobs = Settings().workers
    with own_workers(min(jobs, len(ids) or jobs), contestants) as workers, screen.testing() as watcher:
        found = answers(workers, watcher, ids)
    if as_json:
        click.echo(json.dumps([_plain(claim) for claim in found], ensure_ascii=False, indent=1))
        return
    print_claims(screen.output(), found, details=bool(ids))


def _plain(claim: Claim) -> dict[str, object]:
    return {**attrs.asdict(claim), "answer": claim.answer.value}

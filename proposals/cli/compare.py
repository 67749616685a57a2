"""`blockops compare`: the main job.

    arguments → settings (`choice`) → output folder tried → the lab → report files → summary
                                                             ↕ what is found (`unfinished`)

All that can be refused is refused before the first case runs.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import attrs
import click

from blockops.lab.case import MAX_DEVICES
from blockops.lab.compare import Settings, compare
from blockops.lab.laws import LAWS
from blockops.lab.results import Claim, Cost, Results, Timing
from blockops.lab.store import Store
from blockops.lab.workers import own_workers
from blockops.report.document import to_text
from blockops.report.html import html
from blockops.report.markdown import markdown
from blockops.report.summary import Summary, summarise
from blockops.report.terminal import print_summary
from proposals.catalogue import contestants
from proposals.claims.cost import costs, efforts
from proposals.claims.page import CLAIMS, answer
from proposals.cli import choice, screen
from proposals.cli.exits import CoreBroken, Exit
from proposals.cli.folder import OutputFolder, output_folder
from proposals.cli.unfinished import unfinished

HELP = """Break every contestant in every way, judge what is left by the laws, and report.

\b
Without options: all contestants, all use cases, small devices of its own.
Options that choose may be repeated.  Where a run was interrupted or killed,
the same command goes on.

\b
Examples:
  blockops compare
  blockops compare --contestant group-snapshot --contestant freeze --manager careful
  blockops compare --scenario stuck-frozen
  blockops compare --use-case group-snapshot --devices 4 --fault eio --fault kill
  blockops compare --image root.qcow2 --image data.raw --out /tmp/mine
"""


@click.command("compare", help=HELP, short_help="Break every contestant in every way, and report.")
@click.option(
    "--image",
    "images",
    metavar="FILE",
    multiple=True,
    help="Use this qcow2 or raw image as d0, the next one as d1, …; it is never changed.",
)
@click.option("--devices", type=choice.Whole(1, MAX_DEVICES), help="Number of devices, for all use cases.")
@click.option(
    "--use-case",
    "use_cases",
    callback=choice.known_use_cases,
    metavar="NAME",
    multiple=True,
    help="Only this use case.",
)
@click.option(
    "--contestant",
    "contestants",
    callback=choice.known_contestants,
    metavar="NAME",
    multiple=True,
    help="Only this contestant: 'freeze' for all of it, 'freeze.as-posted.naive' for one.",
)
@click.option(
    "--profile",
    "profiles",
    callback=choice.known_profiles,
    metavar="NAME",
    multiple=True,
    help="Only this profile.",
)
@click.option(
    "--manager",
    "managers",
    callback=choice.known_managers,
    metavar="NAME",
    multiple=True,
    help="Only this manager.",
)
@click.option(
    "--fault",
    "faults",
    callback=choice.known_faults,
    metavar="NAME",
    multiple=True,
    help="Only this kind of fault.",
)
@click.option(
    "--scenario",
    "scenarios",
    callback=choice.known_scenarios,
    metavar="NAME",
    multiple=True,
    help="Only this scenario from the wild, with its use case and its faults.",
)
@click.option(
    "--full", is_flag=True, help="Judge every case also where the default run samples; takes hours."
)
@click.option("--fresh", is_flag=True, help="Start again instead of going on with an unfinished run.")
@click.option(
    "--out",
    type=choice.Folder(),
    default=Path("blockops-report"),
    show_default=True,
    help="Folder for report.html, report.md and report.json.",
)
@click.option("--jobs", type=choice.Whole(1, 1024), help="Worker processes.  [default: one a core]")
@click.option("--seed", type=choice.Whole(0), default=7, show_default=True, help="Decides what is sampled.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the summary.")
def compare_command(out: Path, as_json: bool, fresh: bool, **asked: object) -> Exit:
    """Compare what was asked for; return the exit code."""
    settings = choice.made(asked)
    with output_folder(out) as folder, unfinished(folder.path, settings, fresh) as store:
        results = _run(settings, store)
        with _undisturbed():
            summary = summarise(results, LAWS)
            _write(folder, summary)
            if not results.interrupted:
                store.finish()
    _show(summary, folder, as_json)
    return _verdict(results)


def _run(settings: Settings, store: Store) -> Results:
    """Run the comparison, watched, and add what only a clock can know."""
    started, begin = datetime.now(UTC), time.monotonic()
    with screen.watching(LAWS) as watcher:
        results = compare(settings, contestants, watcher, store=store)
    results = _with_claims(results, settings)
    seconds = round(time.monotonic() - begin, 3)
    return attrs.evolve(results, timing=Timing(started.strftime("%Y-%m-%dT%H:%M:%SZ"), seconds))


def _with_claims(results: Results, settings: Settings) -> Results:
    """Add the page's claims and the costs, unless the run was narrowed down or interrupted.

    They have experiments of their own, over all proposals on small devices, whatever was compared.
    """
    if results.interrupted or choice.is_narrow(settings):
        return results
    try:
        claims, measured = claims_and_costs(settings.workers)
        return attrs.evolve(results, claims=claims, costs=measured, efforts=efforts())
    except KeyboardInterrupt:
        return attrs.evolve(results, interrupted=True)


def claims_and_costs(jobs: int) -> tuple[tuple[Claim, ...], tuple[Cost, ...]]:
    """Run the experiments of all claims and measure the costs, by *jobs* workers."""
    with own_workers(jobs, contestants) as workers:
        measuring = workers.submit(costs)
        backwards = list(workers.map(answer, reversed(list(CLAIMS))))  # the last of the page take longest
        return tuple(reversed(backwards)), measuring.result()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C stop the writing of what a first one left."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _write(folder: OutputFolder, summary: Summary) -> None:
    folder.write(
        {
            "report.html": html(summary),
            "report.md": markdown(summary),
            "report.json": to_text(summary.results, summary.laws),
        }
    )


def _show(summary: Summary, folder: OutputFolder, as_json: bool) -> None:
    if as_json:
        click.echo(to_text(summary.results, summary.laws), nl=False)
        return
    print_summary(screen.output(), summary)
    click.echo(f"\nThe report: {folder.path / 'report.html'} (also report.md and report.json)")


def _verdict(results: Results) -> Exit:
    if results.broken_invariants:
        raise CoreBroken(results.broken_invariants)
    if results.interrupted:
        how = "the report is of what had been judged by then; the same command goes on from there"
        click.echo(f"blockops: interrupted; {how}", err=True)
        return Exit.INTERRUPTED
    if not any(cell.held or cell.violated for cell in results.cells):
        click.echo("blockops: inconclusive; not one case could be judged", err=True)
        return Exit.INTERRUPTED
    return Exit.RAN

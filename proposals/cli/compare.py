"""`blockops compare`: the main job.

    arguments → settings (`choice`) → output folder tried → the lab → report files → summary
                                                             ↕ what is found (`stored`)

All that can be refused is refused before the first case runs.
"""

import time
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path

import attrs
import click

from blockops.lab.case import MAX_DEVICES
from blockops.lab.compare import Settings, compare
from blockops.lab.costs import Cost
from blockops.lab.laws import LAWS
from blockops.lab.results import Claim, Results, Timing
from blockops.lab.store import Store
from blockops.lab.workers import Batch, Errand, own_workers
from blockops.report.summary import summarise
from proposals.catalogue import contestants, everybody
from proposals.claims.cost import costs, efforts
from proposals.cli import choice, screen
from proposals.cli.answering import answers
from proposals.cli.cluster import cluster
from proposals.cli.earlier import compared, earlier_run
from proposals.cli.exits import Exit, Unusable
from proposals.cli.folder import output_folder
from proposals.cli.publishing import show, undisturbed, verdict, write
from proposals.cli.stored import keep_report, key_of, stored, told_again

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
  blockops compare --baseline old/results.sqlite --fail-on new
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
    help="Only this scenario from the wild, or all of a class (F1), with its use case and its faults.",
)
@click.option(
    "--full", is_flag=True, help="Judge every case also where the default run samples; takes hours."
)
@click.option("--fresh", is_flag=True, help="Judge again what a run of before has judged, ended or not.")
@click.option(
    "--out",
    type=choice.Folder(),
    default=Path("blockops-report"),
    show_default=True,
    help="Folder for report.html, report.md and report.json.",
)
@click.option("--jobs", type=choice.Whole(1, 1024), help="Worker processes.  [default: one a core]")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Let the workers of this dask.distributed scheduler judge; tcp://HOST:PORT.",
)
@click.option("--seed", type=choice.Whole(0), default=7, show_default=True, help="Decides what is sampled.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the summary.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Say which violations are new, and which gone, against the run in this results.sqlite.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["new"], case_sensitive=False),
    help="Exit with code 1 where there are violations that the baseline does not have.",
)
def compare_command(
    out: Path,
    as_json: bool,
    fresh: bool,
    baseline: Path | None,
    fail_on: str | None,
    dask: str | None,
    **asked: object,
) -> Exit:
    """Compare what was asked for; return the exit code."""
    if fail_on and baseline is None:
        raise Unusable("--fail-on new: --baseline must say against which run")
    settings = choice.made(asked)
    key = key_of(settings)
    earlier = earlier_run(baseline, key)
    with (
        cluster(dask, settings) as workers,
        output_folder(out) as folder,
        stored(folder.path, key, fresh) as store,
    ):
        if store.told is None:
            results, laws = _run(settings, store, workers), tuple(LAWS)
        else:
            results, laws = told_again(store.told)
        results = compared(results, baseline, earlier)
        with undisturbed():
            summary = summarise(results, laws)
            write(folder, summary)
            keep_report(store, results, laws)
    show(summary, folder, as_json)
    return verdict(results, fail_on_new=fail_on is not None)


def _run(settings: Settings, store: Store, workers: Executor | None) -> Results:
    """Run the comparison, watched, and add what only a clock can know."""
    started, begin = datetime.now(UTC), time.monotonic()
    with screen.watching(LAWS) as watcher:
        results = compare(settings, everybody, watcher, executor=workers, store=store)
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
    with own_workers(jobs, contestants) as workers, screen.testing() as watcher:
        measuring = Batch(workers, iter([Errand("costs", "costs", costs, (), tuple)]), None)
        return answers(workers, watcher), next(iter(measuring)).result

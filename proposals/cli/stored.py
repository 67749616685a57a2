"""What a run has found, kept in the output folder while it goes on and after it.

The same command finds it there: it goes on with a run that has not come to its end, and of one that has
it writes the reports again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import click

from blockops.lab.identity import run_key
from blockops.lab.plan import chosen
from blockops.lab.results import Law, Results
from blockops.lab.settings import Settings
from blockops.lab.store import RunKey, Store, Told, UnwritableStore, open_store
from blockops.report.document import from_text, laws_in, to_text
from proposals.catalogue import everybody
from proposals.cli.exits import CannotWrite

NAME = "results.sqlite"


def key_of(settings: Settings) -> RunKey:
    """Return by what a run of *settings* is known, as things stand."""
    return run_key(settings, [one for one in everybody() if chosen(settings, one)])


@contextmanager
def stored(folder: Path, key: RunKey, fresh: bool) -> Iterator[Store]:
    """Yield the store in *folder*; *fresh*: with nothing of these settings in it.

    Raises BlockError where the file is not ours, damaged or in use, CannotWrite where it cannot be
    written, be it in the middle of the run.
    """
    try:
        with open_store(folder / NAME, key, fresh=fresh) as store:
            _tell(store)
            yield store
    except UnwritableStore as error:
        raise CannotWrite(f"{error}; what it holds stays, and the same command goes on from there") from error


def _tell(store: Store) -> None:
    if store.told is not None:
        how = "it is not judged again, its reports are written again (--fresh judges it again)"
        click.echo(f"blockops: {store.path} holds the whole run; {how}", err=True)
    elif store.begun:
        click.echo(
            f"blockops: going on with the unfinished run in {store.path} (--fresh starts again)", err=True
        )
    elif store.foreign:
        click.echo(
            f"blockops: {store.path} holds what other code or other versions have judged of this; it is not "
            f"used (--fresh removes it)",
            err=True,
        )


def keep_report(store: Store, results: Results, laws: tuple[Law, ...]) -> None:
    """Store the report of a run that has come to its end or was interrupted."""
    report = to_text(attrs.evolve(results, timing=None), laws)
    store.keep_report(report, results.timing, ended=not results.interrupted)


def told_again(told: Told) -> tuple[Results, tuple[Law, ...]]:
    """Return what a store tells of a run, as it was: results, and the laws that judged.

    Raises UnreadableReport where its report is of another schema version.
    """
    return attrs.evolve(from_text(told.report), timing=told.timing), laws_in(told.report)

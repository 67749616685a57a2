"""What a run has found so far, kept in the output folder for as long as the run is unfinished.

The same command finds it there and goes on; a run that has ended takes it away.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from blockops.lab.identity import run_key
from blockops.lab.plan import Settings, chosen
from blockops.lab.store import Store, UnwritableStore, forget, open_store
from proposals.catalogue import contestants
from proposals.cli.exits import CannotWrite

NAME = "unfinished.sqlite"


@contextmanager
def unfinished(folder: Path, settings: Settings, fresh: bool) -> Iterator[Store]:
    """Yield the store in *folder*; *fresh*: with nothing in it.

    Raises BlockError where the file is not ours, damaged or in use, CannotWrite where it cannot be
    written, be it in the middle of the run.
    """
    path = folder / NAME
    try:
        if fresh:
            forget(path)
        key = run_key(settings, [one for one in contestants() if chosen(settings, one)])
        with open_store(path, key) as store:
            _tell(store)
            yield store
    except UnwritableStore as error:
        raise CannotWrite(f"{error}; what it holds stays, and the same command goes on from there") from error


def _tell(store: Store) -> None:
    if store.begun:
        click.echo(
            f"blockops: going on with the unfinished run in {store.path} (--fresh starts again)", err=True
        )
    elif store.foreign:
        click.echo(
            f"blockops: {store.path} holds what other code or other versions have judged of this; it is not "
            f"used (--fresh removes it)",
            err=True,
        )

"""After a crash of the hypervisor: which images the machine starts with, per manager.

Pivots are in memory, so this is management's knowledge: the durable configuration, and for the careful
manager its notes (see `careful`).
"""

import errno
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import cattrs

from blockops.errors import HostError, ImageError
from blockops.management.contestant import Manager, Restart
from blockops.management.desk import Desk
from blockops.management.programs import Move
from blockops.management.wish import ImageRef
from blockops.steps import Phase, Step, Steps


def as_configured(desk: Desk, configuration: Mapping[str, ImageRef]) -> Steps[Mapping[str, ImageRef]]:
    """Start with the configuration as it stands."""
    yield Step(Phase.CHECK, "configuration")
    return configuration


def by_notes(desk: Desk, configuration: Mapping[str, ImageRef]) -> Steps[Mapping[str, ImageRef]]:
    """Start with the new images of what was under way, if each of them is complete, else with the old.

    Writes the configuration.  Raises where an image cannot be looked at: better no start than a wrong one.
    """
    images = dict(configuration)
    for moves in _under_way((yield from desk.notes())):
        complete = yield from _all_complete(desk, moves)
        images.update({move.device: move.new if complete else move.old for move in moves})
    yield from desk.configure(images)
    yield from desk.note("restarted")
    return images


def _under_way(notes: Sequence[Mapping[str, Any]]) -> list[list[Move]]:
    """Return what was intended last and never ended, oldest first."""
    last = list(itertools.takewhile(lambda note: note["kind"] == "intend", reversed(notes)))
    return [cattrs.structure(note["moves"], list[Move]) for note in reversed(last)]


def _all_complete(desk: Desk, moves: Sequence[Move]) -> Steps[bool]:
    for move in moves:
        if not (yield from _complete(desk, move)):
            return False
    return True


def _complete(desk: Desk, move: Move) -> Steps[bool]:
    """Return whether the new image exists, is one, and names the backing that it is to have."""
    try:
        info = yield from desk.inspect(move.new.path, move.new.format)
    except ImageError:
        return False
    except HostError as error:
        if error.code == errno.ENOENT:
            return False
        raise
    return info.backing == move.backing


RESTART: Mapping[Manager, Restart] = {Manager.NAIVE: as_configured, Manager.CAREFUL: by_notes}
"""What every contestant's managers do; a contestant may bring another."""

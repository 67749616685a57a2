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
    """Start with the new images of what was under way, if every one of them is safe, else with the old.

    What the configuration records already is no longer under way.  Writes the configuration.  Raises
    where an image cannot be looked at: better no start than a wrong one.
    """
    images = dict(configuration)
    for moves in _under_way((yield from desk.notes())):
        if not all(configuration.get(move.device) == move.new for move in moves):
            safe = yield from _all_safe(desk, moves)
            images.update({move.device: move.new if safe else move.old for move in moves})
    yield from desk.configure(images)
    yield from desk.note("restarted")
    return images


def _under_way(notes: Sequence[Mapping[str, Any]]) -> list[list[Move]]:
    """Return what was intended last and never ended, oldest first."""
    last = list(itertools.takewhile(lambda note: note["kind"] == "intend", reversed(notes)))
    return [cattrs.structure(note["moves"], list[Move]) for note in reversed(last)]


def _all_safe(desk: Desk, moves: Sequence[Move]) -> Steps[bool]:
    for move in moves:
        if not (yield from _safe(desk, move)):
            return False
    return True


def _safe(desk: Desk, move: Move) -> Steps[bool]:
    """Return whether the new image reads as the old one plus what was written to it.

    It does if it is an image over the old one, whether or not the device had moved.  The target of a
    mirror is not: nobody flushed it while it was one (semantics, section 2: the source is complete and the
    destination disposable until the reopen).
    """
    if move.backing != move.old.path:
        return False
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

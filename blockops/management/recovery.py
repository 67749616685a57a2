"""Recovery: what the next management process does where one has died, or where the hypervisor has.

It knows what stands on the disk (the notes, the configuration, the files) and, where the hypervisor
lives, what `query-block` shows.  Nothing else: what the dead process had in mind is gone.  A program may
die again at any step and be run again from its beginning, so each ends at once where it has nothing to do.

naive     the books are to say what is shown; where nobody answers, they stand as they are
careful   with notes of something under way: forward, if every device is on its new image or can be brought
          there without a loss, else back to the old images, as far as the commands allow; nothing of it
          stays behind.  Without: what is shown is believed.  Where nobody answers (the hypervisor is
          dead): `start_on_what_is_safe`
"""

import errno
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import cattrs

from blockops.errors import HostError, ImageError
from blockops.management.careful import (
    Live,
    attempt,
    clean_up,
    done,
    look,
    reopen_old,
    reopened,
    stay_on_source,
)
from blockops.management.desk import Desk, GaveUp, NoAnswer
from blockops.management.programs import Move, delete_if_there, mirror_files, onto_targets
from blockops.management.wish import Wish
from blockops.steps import Steps

# --------------------------------------------------------------------------------------------- naive


def believe(desk: Desk, wish: Wish) -> Steps[None]:
    """Write into the books which images are shown."""
    try:
        live = yield from look(desk)
    except NoAnswer:
        return
    yield from desk.configure(live.images)


# ------------------------------------------------------------------------- careful, the hypervisor lives


def leave(desk: Desk, wish: Wish) -> Steps[None]:
    """End what was under way where no command brings an old image back."""
    yield from _ended(desk, wish, reopens=False)


def bring_back(desk: Desk, wish: Wish) -> Steps[None]:
    """End what was under way where `drive-reopen` can bring a device to the image that it is to show."""
    yield from _ended(desk, wish, reopens=True)


def _ended(desk: Desk, wish: Wish, *, reopens: bool) -> Steps[None]:
    try:
        live = yield from look(desk)
    except NoAnswer:
        yield from start_on_what_is_safe(desk)
        return
    notes = since_the_end((yield from desk.notes()))
    if not any(note["kind"] in BEGIN for note in notes):
        yield from _without_notes(desk, live)
    elif wish.use_case.startswith("migrate"):
        yield from _migration(desk, wish, going_back=notes[-1]["kind"] == "undo")
    else:
        forward = _may_go_on(wish, notes)
        yield from _moves(desk, moves_of(notes), mirror_files(wish), forward=forward, reopens=reopens)
    yield from desk.note("recovered")


def _may_go_on(wish: Wish, notes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every disk has begun to move, nothing has been taken back, and `query-block` can show it all.

    It does not show a mirror: where one is wanted, only the note says that it was made.
    """
    last = notes[-1]["kind"]
    began = {move.device for move in moves_of(notes)} >= {disk.device for disk in wish.disks}
    known = last == "done" or (last == "intend" and not mirror_files(wish))
    return began and known and wish.use_case != "give-up"


BEGIN = ("intend", "try")
"""The notes that say that something begins."""


def since_the_end(notes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the notes since the last recovery ended: what they began may still be under way."""
    recent = itertools.takewhile(lambda note: note["kind"] not in ("recovered", "restarted"), reversed(notes))
    return list(reversed(list(recent)))


def moves_of(notes: Sequence[Mapping[str, Any]]) -> list[Move]:
    """Return the moves that these notes say had begun, of each device the last one."""
    began = (note["moves"] for note in notes if note["kind"] in BEGIN)
    moves = (move for some in began for move in cattrs.structure(some, list[Move]))
    return list({move.device: move for move in moves}.values())


def _without_notes(desk: Desk, live: Live) -> Steps[None]:
    """Believe what is shown; but take back a frozen device, if not all have moved.

    Its guest has waited since, so nothing is lost.  No file is deleted: nothing says whose it is.
    """
    configured = desk.configuration()
    moved = [device for device in configured if live.tops.get(device) != configured[device].path]
    if len(moved) < len(configured):
        for device in moved:
            if device in live.frozen:
                yield from reopened(desk, device, configured[device])
        live = yield from look(desk)
    yield from desk.configure(live.images)


def _moves(
    desk: Desk, moves: Sequence[Move], leftovers: Sequence[str], *, forward: bool, reopens: bool
) -> Steps[None]:
    """Let all these devices show their new image, else as many as possible their old one."""
    live = yield from look(desk)
    shown = [live.shows(move.device, move.new) for move in moves]
    if forward and not all(shown) and any(shown) and reopens and (yield from _all_safe(desk, moves)):
        live = yield from _reopen_new(desk, moves, live)
    if forward and all(live.shows(move.device, move.new) for move in moves):
        yield from done(desk, moves)
        return
    if reopens:
        yield from reopen_old(desk, moves)
    gone = yield from clean_up(desk, moves, leftovers)
    if gone:
        raise GaveUp(f"not as before: {', '.join(gone)}")


def _reopen_new(desk: Desk, moves: Sequence[Move], live: Live) -> Steps[Live]:
    for move in moves:
        if not live.shows(move.device, move.new):
            yield from reopened(desk, move.device, move.new)
    return (yield from look(desk))


def _migration(desk: Desk, wish: Wish, *, going_back: bool) -> Steps[None]:
    """Go on to the destination once a disk is there, for all that it was to get is there too; else stay.

    Every disk that is not there yet is still mirrored to it.
    """
    moves = onto_targets(wish)
    live = yield from look(desk)
    if not going_back and any(live.shows(move.device, move.new) for move in moves):
        live = yield from _reopen_new(desk, moves, live)
    if all(live.shows(move.device, move.new) for move in moves):
        yield from done(desk, moves)
        for disk in wish.disks:
            yield from delete_if_there(desk, disk.overlay)
            yield from delete_if_there(desk, disk.old.path)
        return
    failure = yield from attempt(stay_on_source(desk, wish, GaveUp("management died")))
    if failure is not None and not isinstance(failure, GaveUp):
        raise failure


# ------------------------------------------------------------------------ careful, the hypervisor is dead


def start_on_what_is_safe(desk: Desk) -> Steps[None]:
    """Configure the new images of what was under way, if every one of them is safe, else the old ones.

    Pivots were in memory, so this is management's knowledge.  What the configuration records already is
    no longer under way.  Raises where an image cannot be looked at: better no start than a wrong one.
    """
    recorded = desk.configuration()
    images = dict(recorded)
    for moves in _under_way((yield from desk.notes())):
        if not all(recorded.get(move.device) == move.new for move in moves):
            safe = yield from _all_safe(desk, moves)
            images.update({move.device: move.new if safe else move.old for move in moves})
    yield from desk.configure(images)
    yield from desk.note("restarted")


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

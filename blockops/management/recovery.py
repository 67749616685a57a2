"""Recovery: what the next management process does where one has died, or where the hypervisor has.

It knows what stands on the disk (the notes, the configuration, the files) and, where the hypervisor
lives, what `query-block` shows.  Nothing else: what the dead process had in mind is gone.  A program may
die again at any step and be run again from its beginning, so each ends at once where it has nothing to do.

naive     the books are to say what is shown; where nobody answers, they stand as they are
careful   forward, as soon as one device is on its new image: its guest may have written to it since, and a
          snapshot of the others loses nothing.  Else, and where it was to be given up or taken back, to the
          old images as far as the commands allow; with notes, nothing of it stays behind.  Where nobody
          answers (the hypervisor is dead): `start_on_what_is_safe`
"""

import enum
import errno
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import cattrs

from blockops.errors import HostError, ImageError
from blockops.management.careful import (
    Live,
    attempt,
    clean_up,
    delete_all,
    done,
    has_moved,
    look,
    reopen_old,
    reopened,
    snapshot,
    stay_on_source,
)
from blockops.management.contestant import Program
from blockops.management.desk import Desk, GaveUp, NoAnswer
from blockops.management.programs import (
    Move,
    delete_if_there,
    make_overlays,
    mirror_files,
    onto_overlays,
    onto_targets,
)
from blockops.management.wish import DiskWish, Goal, Wish
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

Finish: TypeAlias = Callable[[Desk, DiskWish], Steps[None]]
"""Lets a disk come to its new state from where it stands, without a loss; raises where that fails."""


class Sign(enum.Enum):
    """What says that the mirrors that are wanted have been made, for `query-block` shows none."""

    OVERLAYS = "all disks show their overlays"
    BOOKS = "the books name all overlays"
    NOTHING = "nothing that a new process could see there"


@attrs.frozen
class Means:
    """What a design gives to a recovery; *reopens*: `drive-reopen` can bring an old image back."""

    finish: Finish
    reopens: bool = True
    mirrors: Sign = Sign.BOOKS

    def knows_of_mirrors(self, desk: Desk, moves: Sequence[Move]) -> bool:
        """Whether the mirrors of these disks, which show their overlays, are known to have been made."""
        configured = desk.configuration()
        recorded = all(configured.get(move.device) == move.new for move in moves)
        return self.mirrors is Sign.OVERLAYS or (self.mirrors is Sign.BOOKS and recorded)


def recovery(means: Means) -> Program:
    """Return the program that ends what was under way: forward where a disk has moved, else back."""

    def recover(desk: Desk, wish: Wish) -> Steps[None]:
        yield from _ended(desk, wish, means)

    return recover


def _ended(desk: Desk, wish: Wish, means: Means) -> Steps[None]:
    try:
        live = yield from look(desk)
    except NoAnswer:
        yield from start_on_what_is_safe(desk, wish)
        return
    notes = since_the_end((yield from desk.notes()))
    began = any(note["kind"] in BEGIN for note in notes)
    going_back = wish.use_case == "give-up" or (began and notes[-1]["kind"] == "undo")
    if wish.use_case.startswith("migrate"):
        yield from _migration(desk, wish, live, means, began=began, going_back=going_back)
    elif going_back or not (yield from _went_on(desk, wish, live, means, began=began)):
        if began:
            yield from _moves(desk, moves_of(notes), mirror_files(wish), reopens=means.reopens)
        else:
            yield from _without_notes(desk, live)
    yield from desk.note("recovered")


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


def _went_on(desk: Desk, wish: Wish, live: Live, means: Means, *, began: bool) -> Steps[bool]:
    """Go forward if a disk has moved, for its guest may have written since; return whether all is well then.

    Mirrors of which nothing is known are made anew.  Where mirrors are all that is wanted, every disk goes
    on without one instead: that loses nothing either.
    """
    moves = onto_overlays(wish)
    moved = [move.device for move in moves if live.shows(move.device, move.new)]
    if not moved:
        return False
    known = means.knows_of_mirrors(desk, moves)
    to_be_finished = [
        disk for disk in wish.disks if disk.device not in moved or (disk.goal is Goal.MIRROR and not known)
    ]
    if to_be_finished and len(mirror_files(wish)) == len(wish.disks):
        yield from _unmirrored(desk, wish, live, means, began=began)
        return True
    for disk in to_be_finished:
        if (yield from attempt(means.finish(desk, disk))) is not None:
            return False
    yield from done(desk, moves)
    return True


def snapshot_taken(desk: Desk, disk: DiskWish) -> Steps[None]:
    """Put the overlay on top of what the disk shows."""
    (move,) = onto_overlays(Wish("", (disk,)))
    yield from snapshot(desk, move)


def overlay_shown(desk: Desk, disk: DiskWish) -> Steps[None]:
    """Reopen the disk on its overlay if that is made already, else make it."""
    (move,) = onto_overlays(Wish("", (disk,)))
    if not (yield from _safe(desk, move)):
        yield from snapshot_taken(desk, disk)
    elif not (yield from reopened(desk, disk.device, move.new)):
        raise GaveUp(f"{disk.device} does not show {move.new.path}")


go_on = recovery(Means(snapshot_taken, reopens=False))
"""The program of a design that has nothing but snapshots."""


def _unmirrored(desk: Desk, wish: Wish, live: Live, means: Means, *, began: bool) -> Steps[None]:
    """Let each disk show what it shows, without a mirror; with notes delete what is of no use any more."""
    for disk in wish.disks:
        shown = live.images.get(disk.device)
        if shown is None or (means.reopens and not (yield from reopened(desk, disk.device, shown))):
            continue
        if began:
            yield from delete_all(desk, [path for path in (disk.target, disk.overlay) if path != shown.path])
    yield from desk.configure((yield from look(desk)).images)


def _without_notes(desk: Desk, live: Live) -> Steps[None]:
    """Believe what is shown; but take back a frozen device, whose guest has waited since.

    No file is deleted: nothing says whose it is.
    """
    configured = desk.configuration()
    for device in live.frozen:
        if live.tops.get(device) != configured[device].path:
            yield from reopened(desk, device, configured[device])
    yield from desk.configure((yield from look(desk)).images)


def _moves(desk: Desk, moves: Sequence[Move], leftovers: Sequence[str], *, reopens: bool) -> Steps[None]:
    """Let as many of these devices as possible show their old image."""
    if reopens:
        yield from reopen_old(desk, moves)
    gone = yield from clean_up(desk, moves, leftovers)
    if gone:
        raise GaveUp(f"not as before: {', '.join(gone)}")


def _migration(
    desk: Desk, wish: Wish, live: Live, means: Means, *, began: bool, going_back: bool
) -> Steps[None]:
    """Go on to the destination once a disk is there, for all that it was to get is there too; else stay.

    Every disk that is not there yet is still mirrored to it.  Without notes nobody will finish what the
    mirrors are for, so they end.
    """
    moves = onto_targets(wish)
    waiting = [move for move in moves if not live.shows(move.device, move.new)]
    if not going_back and len(waiting) < len(moves):
        for move in waiting:
            yield from reopened(desk, move.device, move.new)
    if (yield from has_moved(desk, moves)):
        yield from done(desk, moves)
        for disk in wish.disks if began else ():
            yield from delete_if_there(desk, disk.overlay)
            yield from delete_if_there(desk, disk.old.path)
    elif began:
        failure = yield from attempt(stay_on_source(desk, wish, GaveUp("management died")))
        if failure is not None and not isinstance(failure, GaveUp):
            raise failure
    else:
        yield from _unmirrored(desk, wish, live, means, began=False)


# ------------------------------------------------------------------------ careful, the hypervisor is dead


def start_on_what_is_safe(desk: Desk, wish: Wish) -> Steps[None]:
    """Configure the overlays of what was under way, if every one of them is safe, else the old images.

    Pivots were in memory, so this is management's knowledge.  What the configuration records already is
    no longer under way, and the target of a mirror is not safe until it is recorded (but see
    `_keep_together`).  Where only some
    overlays are safe and none has been written to, the old images hold all; else those that are missing
    are made now.  What is to be given up goes back unless it has been written to.  Raises where an image
    cannot be looked at: better no start than a wrong one.
    """
    recorded = desk.configuration()
    begun = [move for move in _under_way((yield from desk.notes())) if recorded.get(move.device) != move.new]
    moves = onto_overlays(wish)
    if any(move in begun for move in moves):
        safe, written = yield from _judged(desk, moves)
        new = written
        if wish.use_case != "give-up" and (written or len(safe) == len(moves)):
            yield from _made(desk, wish, safe)
            new = moves
        yield from desk.configure({move.device: move.new if move in new else move.old for move in moves})
    yield from _keep_together(desk, onto_targets(wish))
    yield from desk.note("restarted")


def _keep_together(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Where only some disks are recorded on their targets, let all be on them, or none, if that is no loss.

    It is none for a disk whose two images read alike: one that still was mirrored, or whose guest has
    written nothing since it was not.
    """
    recorded = desk.configuration()
    arrived = [move for move in moves if recorded.get(move.device) == move.new]
    waiting = [move for move in moves if move not in arrived]
    if arrived and (yield from _all_alike(desk, waiting)):
        yield from desk.configure({move.device: move.new for move in waiting})
    elif waiting and (yield from _all_alike(desk, arrived)):
        yield from desk.configure({move.device: move.old for move in arrived})


def _all_alike(desk: Desk, moves: Sequence[Move]) -> Steps[bool]:
    for move in moves:
        if not (yield from desk.alike(move.old, move.new)):
            return False
    return True


def _under_way(notes: Sequence[Mapping[str, Any]]) -> list[Move]:
    """Return what was intended last and never ended."""
    last = itertools.takewhile(lambda note: note["kind"] == "intend", reversed(notes))
    return [move for note in last for move in cattrs.structure(note["moves"], list[Move])]


def _judged(desk: Desk, moves: Sequence[Move]) -> Steps[tuple[list[Move], list[Move]]]:
    """Return those whose new image is safe, and of these those that have been written to."""
    safe, written = [], []
    for move in moves:
        if (yield from _safe(desk, move)):
            safe.append(move)
            if not (yield from desk.is_blank(move.new)):
                written.append(move)
    return safe, written


def _made(desk: Desk, wish: Wish, safe: Sequence[Move]) -> Steps[None]:
    """Make the overlays that are not safe: nobody can have written to them."""
    for disk, move in zip(wish.disks, onto_overlays(wish), strict=True):
        if move not in safe:
            yield from delete_if_there(desk, disk.overlay)
            yield from make_overlays(desk, Wish(wish.use_case, (disk,)))


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

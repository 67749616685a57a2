"""What the careful manager's programs share: notes, looking, cleaning up.

Its notes are `intend` (these devices are about to go from old to new images), then one that ends it:
`done`, `undo`, `restarted` or `recovered`.  The configuration says "old" until `done`.  So whoever comes
after a crash finds in the last notes, where they are `intend`, what was under way (`recovery`).  No step
forward is taken without its note; a step back is, for the books say "old" then as they stand.  A note
`empty` says which drives had no medium: they are not to get one on the way back.

It deletes a file only where it knows both that the file is its own (no such name existed when it began)
and that the hypervisor does not use it (`query-block` says so, or an answer did).  Without an answer
nothing is known, so nothing is deleted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import attrs

from blockops.errors import BlockError
from blockops.graph.formats import resolve_backing
from blockops.management.contestant import Program
from blockops.management.desk import Answer, Desk, GaveUp, Lost, NoAnswer, Replied, expected
from blockops.management.programs import (
    Move,
    configure_new,
    delete_if_there,
    onto_overlays,
    overlay,
    target,
)
from blockops.management.wish import DiskWish, ImageRef, Wish
from blockops.steps import Steps


def attempt(steps: Steps[object]) -> Steps[BlockError | None]:
    """Try something and return its error instead of raising it."""
    try:
        yield from steps
    except BlockError as error:
        return error
    return None


def begin(desk: Desk, paths: Iterable[str]) -> Steps[None]:
    """Raise `GaveUp` where one of the names is taken: whoever owns that file still needs it.

    The configuration is read now, for a way back must not depend on it.  Which devices show nothing is noted
    where it is not what the last such note says, for nobody can see it afterwards.
    """
    devices = desk.configuration()
    for path in paths:
        if (yield from desk.exists(path)):
            raise GaveUp(f"nothing was begun: {path} exists already")
    live = yield from look(desk)
    empty = [device for device in devices if device not in live.tops]
    if empty != (yield from _noted_as_empty(desk)):
        yield from desk.note("empty", devices=empty)


def _noted_as_empty(desk: Desk) -> Steps[list[str]]:
    notes = yield from desk.notes()
    return next((note["devices"] for note in reversed(notes) if note["kind"] == "empty"), [])


def still_empty(desk: Desk, live: "Live", moves: Sequence[Move]) -> Steps[list[str]]:
    """Return which of these devices had no medium when all began and have none now: they are as before.

    Not one whose new image has been written to: it had got a medium, and lost that again.  None where the
    notes cannot be read or a new image cannot be looked at, for the others must get back all the same.
    """
    found: list[str] = []
    failure = yield from attempt(_find_still_empty(desk, live, moves, found))
    return [] if failure else found


def _find_still_empty(desk: Desk, live: "Live", moves: Sequence[Move], found: list[str]) -> Steps[None]:
    noted = yield from _noted_as_empty(desk)
    for move in moves:
        if move.device in noted and move.device not in live.tops:
            found += [move.device] if (yield from _unwritten(desk, move.new)) else []


def _unwritten(desk: Desk, image: ImageRef) -> Steps[bool]:
    return not (yield from desk.exists(image.path)) or (yield from desk.is_blank(image))


def intend(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Note that these devices are about to move, all or none."""
    yield from desk.note("intend", moves=[attrs.asdict(move) for move in moves])


def try_out(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Note that the new images of these devices are made and will be given up: a restart is on the old."""
    yield from desk.note("try", moves=[attrs.asdict(move) for move in moves])


def done(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Record that these devices have moved."""
    yield from configure_new(desk, moves)
    yield from desk.note("done")


@attrs.frozen
class Live:
    """What `query-block` says: the file that each device with a medium shows, and all files that it names.

    *images* are the same files with their formats; *frozen* are the devices that it says are frozen.
    """

    tops: Mapping[str, str]
    used: frozenset[str]
    images: Mapping[str, ImageRef]
    frozen: tuple[str, ...] = ()

    def shows(self, device: str, image: ImageRef) -> bool:
        """Whether the device shows this image (through a mirror, perhaps)."""
        return self.tops.get(device) == image.path


def look(desk: Desk) -> Steps[Live]:
    """Ask the hypervisor which images its devices show; raises `NoAnswer` where it does not say.

    It is asked a second time where the first answer does not come: the connection may have been lost.
    """
    answer = yield from desk.execute("query-block")
    if isinstance(answer, Lost):
        answer = yield from desk.execute("query-block")
    rows = cast(list[dict[str, Any]], expected(answer, "query-block"))
    shown = {row["device"]: row["inserted"] for row in rows if "inserted" in row}
    tops = {device: desk.host.resolve(inserted["file"]) for device, inserted in shown.items()}
    backings = [
        resolve_backing(tops[device], inserted["backing_file"])
        for device, inserted in shown.items()
        if "backing_file" in inserted
    ]
    images = {device: ImageRef(path, shown[device]["drv"]) for device, path in tops.items()}
    frozen = tuple(row["device"] for row in rows if row.get("frozen"))
    return Live(tops, frozenset([*tops.values(), *backings]), images, frozen)


def has_moved(desk: Desk, moves: Sequence[Move]) -> Steps[bool]:
    """Ask the hypervisor whether every device shows its new image after all."""
    live = yield from look(desk)
    return all(live.shows(move.device, move.new) for move in moves)


def until_answered(desk: Desk, move: Move, send: Callable[[], Steps[None]]) -> Steps[None]:
    """Send what moves one device; where no answer comes look, and if it has not moved send it once more.

    For a design that moves one device after the other: to go back would cost what the others' guests wrote.
    """
    failure = yield from attempt(send())
    if isinstance(failure, NoAnswer):
        if not (yield from has_moved(desk, [move])):
            yield from send()
    elif failure is not None:
        raise failure


def snapshot(desk: Desk, move: Move) -> Steps[None]:
    """Let the device move to an overlay that the command makes."""
    yield from desk.must(
        "blockdev-snapshot-sync",
        device=move.device,
        snapshot_file=move.new.path,
        format=move.new.format,
    )


def reopen_old(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Let each device that shows another image, or has lost it, show its old one again.

    What the guest wrote meanwhile is in the new image and is lost: no command of 2012 brings it back.
    Answers are not looked at: `clean_up` sees what came of it.
    """
    live = yield from look(desk)
    empty = yield from still_empty(desk, live, moves)
    yield from attempt(desk.note("undo"))
    for move in moves:
        if not live.shows(move.device, move.old) and move.device not in empty:
            yield from reopened(desk, move.device, move.old)


def reopened(desk: Desk, device: str, image: ImageRef) -> Steps[bool]:
    """Send a `drive-reopen`, again where it is refused or stays unanswered; return whether one worked.

    Never left to probing: a raw image can look like any.
    """
    answer: Answer = Lost()
    for _ in range(2):
        answer = yield from desk.execute(
            "drive-reopen", device=device, source=image.path, format=image.format
        )
        if isinstance(answer, Replied) and answer.ok:
            break
    return isinstance(answer, Replied) and answer.ok


def clean_up(desk: Desk, moves: Sequence[Move], leftovers: Sequence[str] = ()) -> Steps[list[str]]:
    """Let the books say what the devices show, delete the new images of those that are as before.

    *leftovers* are further files of our own, deleted where all is as before: `query-block` does not name
    the target of a mirror.  A device that has lost its medium keeps its files.  Returns the devices that
    are not as before.
    """
    live = yield from look(desk)
    moved = {move.device: move.new for move in moves if live.shows(move.device, move.new)}
    stayed = {move.device: move.old for move in moves if live.shows(move.device, move.old)}
    yield from desk.configure(moved | stayed)
    yield from attempt(desk.note("undo", moved=list(moved), stayed=list(stayed)))
    as_before = [*stayed, *(yield from still_empty(desk, live, moves))]
    gone = [move.device for move in moves if move.device not in as_before]
    unused = [move.new.path for move in moves if move.device in as_before and move.new.path not in live.used]
    yield from delete_all(desk, [*unused, *(() if gone else leftovers)])
    return gone


def delete_all(desk: Desk, paths: Sequence[str]) -> Steps[None]:
    """Delete those that are there, whatever becomes of the others; then name all that could not go."""
    failures: dict[str, BlockError] = {}
    for path in paths:
        failed = yield from attempt(delete_if_there(desk, path))
        if failed is not None:
            failures[path] = failed
    if failures:
        raise GaveUp(f"could not remove {', '.join(failures)}", next(iter(failures.values())))


def settle(desk: Desk, moves: Sequence[Move], why: BlockError, leftovers: Sequence[str] = ()) -> Steps[None]:
    """End a failed attempt: clean up, and raise `GaveUp` that says how it ended."""
    gone = yield from clean_up(desk, moves, leftovers)
    raise GaveUp(f"not as before: {', '.join(gone)}" if gone else "all disks are as before", why)


def undo(desk: Desk, moves: Sequence[Move], why: BlockError, leftovers: Sequence[str] = ()) -> Steps[None]:
    """End a failed attempt on the old images, where `drive-reopen` can bring them back; raises `GaveUp`."""
    yield from reopen_old(desk, moves)
    yield from settle(desk, moves, why, leftovers)


def stay_on_source(desk: Desk, wish: Wish, why: BlockError) -> Steps[None]:
    """End a failed migration: reopen on the source, which drops the mirrors, and delete the destination.

    A disk that has left its old image goes to its overlay, which holds what the guest wrote until the
    switch; for one that shows nothing the configuration says which.  Files of a disk whose reopen failed
    are kept, and one whose books go on saying "target" is not reopened: a restart would lose what came
    after.  Where they go on saying "old", the note of what was intended stands, and a restart finds the
    overlay by it.  Raises `GaveUp`.
    """
    live = yield from look(desk)
    shown = {device: image.path for device, image in desk.configuration().items()} | dict(live.tops)
    sources = {d.device: d.old if shown.get(d.device) == d.old.path else overlay(d) for d in wish.disks}
    if (yield from attempt(desk.configure(sources))) is None:
        yield from attempt(desk.note("undo"))
    books = desk.configuration()
    as_before = yield from still_empty(desk, live, onto_overlays(wish))
    left = []
    for disk in wish.disks:
        there = (
            live.shows(disk.device, disk.old)
            or disk.device in as_before
            or (
                books.get(disk.device) != target(disk)
                and (yield from reopened(desk, disk.device, sources[disk.device]))
            )
        )
        left += [] if there else [disk]
    yield from _record_left(desk, left)
    yield from delete_all(desk, [path for d in wish.disks if d not in left for path in _all_but(d, sources)])
    names = ", ".join(disk.device for disk in left)
    raise GaveUp(f"not reopened on the source: {names}" if left else "all disks are on the source", why)


def _record_left(desk: Desk, left: Sequence[DiskWish]) -> Steps[None]:
    """Let the books say "target" for the disks that could not be taken off it."""
    if left:
        live = yield from look(desk)
        targets = {disk.device: target(disk) for disk in left if live.shows(disk.device, target(disk))}
        yield from desk.configure(targets)


def _all_but(disk: DiskWish, sources: Mapping[str, ImageRef]) -> list[str]:
    """Return the files that a migration made for a disk, but for the image that it is on now."""
    own = [disk.target, disk.target_base, disk.overlay]
    return [path for path in own if path != sources[disk.device].path]


def looked_up(program: Program, reset: Callable[[Desk, Wish], Steps[object]] | None = None) -> Program:
    """Return the program that tries again, once, after it has looked what came of the first attempt.

    After no answer *reset* first ends whatever state the attempt may have left open in the hypervisor.
    """

    def retry(desk: Desk, wish: Wish) -> Steps[None]:
        moves = onto_overlays(wish)
        failure = yield from attempt(program(desk, wish))
        if failure is None:
            return
        unknown = isinstance(failure, NoAnswer)
        if unknown and reset is not None:
            yield from attempt(reset(desk, wish))
        if (yield from has_moved(desk, moves)):
            yield from done(desk, moves)
            return
        if unknown:
            yield from clean_up(desk, moves)
        yield from program(desk, wish)

    return retry

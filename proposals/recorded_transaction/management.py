"""What the recorded transaction leaves to management: to name the record, and to remove it in the end.

What the hypervisor does needs no notes: the record is durable before anything happens.  The configuration
says "old" until it is changed in one go after a success; whoever restarts the machine in between reads the
record.  The careful manager notes which files it is going to make itself.  An answer that does not come it
asks for by sending the same again.
"""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from blockops.errors import BlockError
from blockops.management.careful import attempt, begin, look, settle
from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.desk import Desk, GaveUp, NoAnswer
from blockops.management.programs import (
    Move,
    configure_new,
    copy_bases,
    delete_if_there,
    delete_sources,
    destination_files,
    make_overlays,
    make_targets,
    mirror_files,
    onto_overlays,
    onto_targets,
    overlay,
    repeated,
    target,
)
from blockops.management.wish import Goal, ImageRef, Wish
from blockops.steps import Steps
from proposals.recorded_transaction.record import Outcome, Record, read_record

TRIES = 3
"""How often the careful manager sends a transaction that is not answered."""

Actions = list[dict[str, Any]]


def record_of(desk: Desk) -> str:
    """Return the one name that this management's records have: so it is found without notes."""
    return posixpath.join(desk.host.resolve(desk.books), "transaction.record")


def action(kind: str, device: str, image: ImageRef, **more: str) -> dict[str, Any]:
    """Return one entry of a transaction's list."""
    return {"type": kind, "data": {"device": device, "file": image.path, "format": image.format, **more}}


def changing(wish: Wish) -> Actions:
    """Return what each disk needs; a mirror goes with a snapshot, so that what lies below it is at rest."""
    found = []
    for disk in wish.disks:
        kind = "reopen" if disk.goal is Goal.PREPARED else "snapshot"
        found.append(action(kind, disk.device, overlay(disk)))
        if disk.goal is Goal.MIRROR:
            found.append(action("mirror", disk.device, target(disk)))
    return found


def following(wish: Wish) -> Actions:
    """Return a snapshot and a mirror for each disk that is to move: the mirror ends if management does."""
    found = []
    for disk in wish.disks:
        found.append(action("snapshot", disk.device, overlay(disk)))
        found.append(action("mirror", disk.device, target(disk), ends="disconnected"))
    return found


def switching(moves: Sequence[Move]) -> Actions:
    """Return the actions that leave the mirrors for their targets."""
    return [action("switch", move.device, move.new) for move in moves]


def send(desk: Desk, name: str, actions: Actions, finish: str = "commit") -> Steps[None]:
    """Send a transaction; raises `Refused`, after which nothing has changed, or `NoAnswer`."""
    yield from desk.must("transaction", id=name, actions=actions, record=record_of(desk), finish=finish)


def believe(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Let the configuration say what the transaction did, then remove the record."""
    yield from configure_new(desk, moves)
    yield from delete_if_there(desk, record_of(desk))


# ------------------------------------------------------------------------------------------------ naive


def naive_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare what is to be, send the one command, then let the machine start on the new images."""
    yield from make_overlays(desk, wish.only(Goal.PREPARED))
    yield from send(desk, wish.use_case, changing(wish))
    yield from believe(desk, onto_overlays(wish))


def naive_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt in two transactions: snapshot and mirror; copy; switch; delete."""
    yield from make_targets(desk, wish)
    yield from send(desk, "follow", following(wish))
    yield from believe(desk, onto_overlays(wish))
    yield from copy_bases(desk, wish)
    moves = onto_targets(wish)
    yield from send(desk, "switch", switching(moves))
    yield from believe(desk, moves)
    yield from delete_sources(desk, wish)


def naive_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Rehearse the first snapshot."""
    yield from send(desk, "rehearsal", changing(wish)[:1], finish="abort")


# ---------------------------------------------------------------------------------------------- careful


def sent(desk: Desk, name: str, actions: Actions, finish: str = "commit") -> Steps[None]:
    """Send a transaction until there is an answer: what was done is not done twice."""
    for _ in range(TRIES - 1):
        failed = yield from attempt(send(desk, name, actions, finish))
        if not isinstance(failed, NoAnswer):
            if failed is not None:
                raise failed
            return
    yield from send(desk, name, actions, finish)


def starting(desk: Desk, files: Sequence[str], taken: Sequence[str] = ()) -> Steps[None]:
    """See that no such file is there, nor one of *taken*, and note that *files* will be of our own making."""
    yield from begin(desk, [*files, *taken])
    yield from desk.note("begin", files=list(files))


def careful_change(desk: Desk, wish: Wish) -> Steps[None]:
    """Prepare what is to be, send the one command; after an error remove what is left."""
    moves, files = onto_overlays(wish), mirror_files(wish)
    prepared = wish.only(Goal.PREPARED)
    made = [disk.overlay for disk in prepared.disks]
    yield from starting(desk, made, [*(move.new.path for move in moves), *files])
    failed = yield from attempt(make_overlays(desk, prepared))
    if failed is not None:
        yield from settle(desk, moves, failed)
    yield from _moved(desk, wish.use_case, moves, changing(wish), files)
    yield from desk.note("end")


def _moved(
    desk: Desk, name: str, moves: Sequence[Move], actions: Actions, files: Sequence[str] = ()
) -> Steps[None]:
    """Carry out a transaction and believe in it, or remove what was made for it and raise `GaveUp`."""
    try:
        yield from sent(desk, name, actions)
    except NoAnswer:
        raise  # what came of it the record says, to whoever comes next
    except BlockError as why:
        yield from settle(desk, moves, why, files)
    yield from believe(desk, moves)


def careful_migrate(desk: Desk, wish: Wish) -> Steps[None]:
    """The sequence of oVirt in two transactions.

    An error in the first undoes it; after an error later all disks stay on the source.
    """
    files = destination_files(wish)
    overlays, targets = onto_overlays(wish), onto_targets(wish)
    yield from starting(desk, files, [move.new.path for move in overlays])
    failed = yield from attempt(make_targets(desk, wish))
    if failed is not None:
        yield from settle(desk, overlays, failed, files)
    try:
        yield from _moved(desk, "follow", overlays, following(wish), files)
        yield from copy_bases(desk, wish)
        yield from sent(desk, "switch", switching(targets))
    except (NoAnswer, GaveUp):
        raise
    except BlockError as why:
        yield from _stay_on_source(desk, wish, why)
    yield from believe(desk, targets)
    yield from delete_sources(desk, wish)
    yield from desk.note("end")


def _stay_on_source(desk: Desk, wish: Wish, why: BlockError) -> Steps[None]:
    """End a migration before its switch: stop the mirrors, remove the destination; raises `GaveUp`."""
    yield from stop_mirrors(desk, wish, {})
    left: dict[str, BlockError] = {}
    for path in destination_files(wish):
        failed = yield from attempt(delete_if_there(desk, path))
        left |= {} if failed is None else {path: failed}
    gone = f"; could not remove {', '.join(left)}" if left else ""
    yield from attempt(desk.note("end"))
    raise GaveUp(f"all disks are on the source{gone}", why)


def careful_give_up(desk: Desk, wish: Wish) -> Steps[None]:
    """Rehearse the first snapshot: everything is prepared, then undone."""
    moves = onto_overlays(wish)[:1]
    yield from begin(desk, [move.new.path for move in moves])
    try:
        yield from sent(desk, "rehearsal", changing(wish)[:1], finish="abort")
    except NoAnswer:
        raise
    except BlockError as why:
        yield from settle(desk, moves, why)


def careful_retry(desk: Desk, wish: Wish) -> Steps[None]:
    """Send the same once more after any failure: the hypervisor knows whether it was done."""
    if (yield from attempt(careful_change(desk, wish))) is not None:
        yield from sent(desk, wish.use_case, changing(wish))
        yield from believe(desk, onto_overlays(wish))


# --------------------------------------------------------------------------------------------- recovery


def recover(desk: Desk, wish: Wish) -> Steps[None]:
    """Believe what is shown, or where nobody answers the record; then remove what is of no use any more.

    To run it again, or only half of it, does no harm.  Mirrors of a migration whose manager has died are
    of no use: nobody knows what the target has.
    """
    images: Mapping[str, ImageRef] | None = None
    try:
        images = (yield from look(desk)).images
        yield from stop_mirrors(desk, wish.only(Goal.MOVE), images)
    except NoAnswer:
        images = None
    record = read_record(desk.host, record_of(desk))  # after the answer: until then it may still be written
    if images is None:
        images = record.images if record is not None and record.outcome is Outcome.DONE else {}
    yield from desk.configure(images)
    if record is not None:
        yield from _forget(desk, record)
    yield from _finish(desk, wish)


def stop_mirrors(desk: Desk, wish: Wish, images: Mapping[str, ImageRef]) -> Steps[None]:
    """Stop the mirror of each disk that does not show its target."""
    for disk in wish.disks:
        if images.get(disk.device) != target(disk):
            yield from desk.must("stop-mirror", device=disk.device)


def _forget(desk: Desk, record: Record) -> Steps[None]:
    """Remove what was made for nothing, and the record."""
    shown = {image.path for image in desk.configuration().values()}
    for path in record.made if record.outcome is not Outcome.DONE else ():
        if path not in shown:
            yield from delete_if_there(desk, path)
    yield from delete_if_there(desk, record_of(desk))


def _finish(desk: Desk, wish: Wish) -> Steps[None]:
    """End what the notes say was begun: sources of disks that have moved go, unused files of our own go."""
    configured = desk.configuration()
    notes = yield from desk.notes()
    if not notes or notes[-1]["kind"] != "begin":
        return
    for disk in wish.disks:
        moved = configured[disk.device] == target(disk)
        own = set(notes[-1]["files"]) & {disk.target, disk.target_base, disk.overlay}
        gone = {disk.overlay, disk.old.path} if moved else own - {configured[disk.device].path}
        for path in sorted(gone):
            yield from delete_if_there(desk, path)
    yield from desk.note("end")


RECOVER: Mapping[Manager, Program] = {Manager.NAIVE: recover, Manager.CAREFUL: recover}
"""Both: to read the record is part of the design, as it is to write it."""

PROGRAMS: Mapping[Manager, Mapping[str, Program | Inexpressible]] = {
    Manager.NAIVE: {
        "group-snapshot": naive_change,
        "migrate-one": naive_migrate,
        "migrate-many": naive_migrate,
        "mirror-many": naive_change,
        "switch-many": naive_change,
        "mixed": naive_change,
        "give-up": naive_give_up,
        "retry": repeated(naive_change),
        "membership": naive_change,
    },
    Manager.CAREFUL: {
        "group-snapshot": careful_change,
        "migrate-one": careful_migrate,
        "migrate-many": careful_migrate,
        "mirror-many": careful_change,
        "switch-many": careful_change,
        "mixed": careful_change,
        "give-up": careful_give_up,
        "retry": careful_retry,
        "membership": careful_change,
    },
}

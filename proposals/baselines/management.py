"""What the baselines leave to management: none of them can take a snapshot back.

So the careful manager only sees to it that nothing is hidden: its books say which disks have moved, the
overlays that are not in use go, the guest runs again, and it reports.
"""

from collections.abc import Mapping

from blockops.errors import BlockError
from blockops.management.careful import (
    attempt,
    begin,
    done,
    has_moved,
    intend,
    looked_up,
    settle,
    snapshot,
    until_answered,
)
from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.desk import Desk, Lost
from blockops.management.programs import Move, configure_new, onto_overlays, repeated
from blockops.management.recovery import believe, go_on
from blockops.management.snapshots_only import BEYOND_SNAPSHOTS, ONE_COMMAND
from blockops.management.wish import Wish
from blockops.steps import Steps

# ------------------------------------------------------------------------------------------- naive-loop


def naive_loop(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot one disk after the other."""
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
    yield from configure_new(desk, onto_overlays(wish))


def careful_loop(desk: Desk, wish: Wish) -> Steps[None]:
    """Snapshot one disk after the other; after an error clean up, and say which have moved."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    try:
        for move in moves:
            yield from intend(desk, [move])
            yield from _snapshot(desk, move)
    except BlockError as why:
        if not (yield from has_moved(desk, moves)):
            yield from settle(desk, moves, why)
    yield from done(desk, moves)


def _snapshot(desk: Desk, move: Move) -> Steps[None]:
    yield from until_answered(desk, move, lambda: snapshot(desk, move))


# --------------------------------------------------------------------------------------------- stop-cont


def naive_stop_cont(desk: Desk, wish: Wish) -> Steps[None]:
    """Stop the guest, snapshot each disk, let the guest go on."""
    yield from desk.must("stop")
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
    yield from desk.must("cont")
    yield from configure_new(desk, onto_overlays(wish))


def careful_stop_cont(desk: Desk, wish: Wish) -> Steps[None]:
    """Stop, snapshot each disk, go on; the books are right before the guest goes on, whatever happened."""
    moves = onto_overlays(wish)
    yield from begin(desk, [move.new.path for move in moves])
    yield from intend(desk, moves)
    try:
        yield from desk.must("stop")
        for move in moves:
            yield from _snapshot(desk, move)
        yield from done(desk, moves)
    except BlockError as why:
        failure = yield from attempt(settle(desk, moves, why))
        yield from attempt(_let_go_on(desk, wish))
        raise failure or why from None
    yield from _let_go_on(desk, wish)


def recover_stop_cont(desk: Desk, wish: Wish) -> Steps[None]:
    """Put the books right before the guest goes on, whatever happened."""
    failure = yield from attempt(go_on(desk, wish))
    yield from attempt(_let_go_on(desk, wish))
    if failure is not None:
        raise failure


def _let_go_on(desk: Desk, wish: Wish) -> Steps[None]:
    """Let the guest go on; said again where no answer came, for saying it twice does no harm."""
    if isinstance((yield from desk.execute("cont")), Lost):
        yield from desk.must("cont")


# ---------------------------------------------------------------------------------------------- programs

LEAVE: Mapping[Manager, Program] = {Manager.NAIVE: believe, Manager.CAREFUL: go_on}
RECOVER_STOP_CONT: Mapping[Manager, Program] = {Manager.NAIVE: believe, Manager.CAREFUL: recover_stop_cont}

NAIVE_LOOP: Mapping[Manager, Mapping[str, Program | Inexpressible]] = {
    Manager.NAIVE: {
        "group-snapshot": naive_loop,
        "retry": repeated(naive_loop),
        "membership": naive_loop,
        **BEYOND_SNAPSHOTS,
    },
    Manager.CAREFUL: {
        "group-snapshot": careful_loop,
        "retry": looked_up(careful_loop),
        "membership": careful_loop,
        **BEYOND_SNAPSHOTS,
    },
}

STOP_CONT: Mapping[Manager, Mapping[str, Program | Inexpressible]] = {
    Manager.NAIVE: {
        "group-snapshot": naive_stop_cont,
        "retry": repeated(naive_stop_cont),
        "membership": naive_stop_cont,
        **BEYOND_SNAPSHOTS,
    },
    Manager.CAREFUL: {
        "group-snapshot": careful_stop_cont,
        "retry": looked_up(careful_stop_cont, reset=_let_go_on),
        "membership": careful_stop_cont,
        **BEYOND_SNAPSHOTS,
    },
}

GROUP_SNAPSHOT_V1: Mapping[Manager, Mapping[str, Program | Inexpressible]] = ONE_COMMAND

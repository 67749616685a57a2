"""Mirror jobs as management sees them: start, wait, switch, end.

How a job ended is in no reply: a job that is gone has no row in `query-block-jobs`.  Management asks again
and again, as libvirt did where it had missed an event, and then looks which image the device shows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from blockops.management.careful import look
from blockops.management.desk import Desk, GaveUp
from blockops.management.programs import Move
from blockops.steps import Phase, Step, Steps

LOOKS = 60
"""How often management looks before it gives up waiting, and how many steps it lets pass in between."""
PAUSE = 6

Row = dict[str, Any]


def start_mirror(desk: Desk, move: Move) -> Steps[None]:
    """Start to copy the top of what the device shows to the image that it is to move to, which exists."""
    yield from desk.must(
        "drive-mirror",
        device=move.device,
        target=move.new.path,
        format=move.new.format,
        sync="top",
        mode="existing",
    )


def until_ready(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Wait until the mirrors of all these devices are ready at once; `GaveUp` where one is gone, or rests."""

    def reached(rows: Mapping[str, Row]) -> bool:
        for move in moves:
            if move.device not in rows:
                raise GaveUp(f"the mirror of {move.device} is gone")
        return all(rows[move.device]["ready"] for move in moves)

    yield from _until(desk, moves, reached)


def until_gone(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Wait until none of these devices has a job; raises `GaveUp` where a job rests."""
    yield from _until(desk, moves, lambda rows: not any(move.device in rows for move in moves))


def _until(desk: Desk, moves: Sequence[Move], reached: Callable[[Mapping[str, Row]], bool]) -> Steps[None]:
    names = [move.device for move in moves]
    for _ in range(LOOKS):
        rows = yield from _rows(desk)
        if reached(rows):
            return
        for name in names:
            if name in rows and rows[name]["paused"] and rows[name]["io-status"] != "ok":
                raise GaveUp(f"the mirror of {name} rests after an error")
        for _ in range(PAUSE):
            yield Step(Phase.WAIT, "jobs")
    raise GaveUp(f"it takes too long: the mirror of {' and '.join(names)}")


def _rows(desk: Desk) -> Steps[dict[str, Row]]:
    rows = cast(list[Row], (yield from desk.must("query-block-jobs")))
    return {row["device"]: row for row in rows}


def complete(desk: Desk, move: Move) -> Steps[None]:
    """Ask for the switch; the answer comes before it."""
    yield from desk.must("block-job-complete", device=move.device)


def until_moved(desk: Desk, move: Move) -> Steps[None]:
    """Wait until the device has no job, then look; raises `GaveUp` where it does not show the new image."""
    yield from until_gone(desk, [move])
    if not (yield from look(desk)).shows(move.device, move.new):
        raise GaveUp(f"{move.device} has not moved to {move.new.path}, and its mirror is gone")


def end_all(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """End the jobs of these devices at once and wait until they are gone, whatever they have come to."""
    rows = yield from _rows(desk)
    for move in moves:
        if move.device in rows:
            yield from desk.execute("block-job-cancel", device=move.device, force=True)
    yield from until_gone(desk, moves)

"""Mirror jobs as management sees them: start, wait, switch, end.

How a job ended is in no reply: a job that is gone has no row in `query-block-jobs`.  Management asks again
and again, as libvirt did where it had missed an event, and then looks which image the device shows.
"""

from collections.abc import Callable
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


def until_ready(desk: Desk, device: str) -> Steps[None]:
    """Wait until the mirror of the device is ready; raises `GaveUp` where it is gone, or rests."""
    yield from _until(desk, device, lambda row: bool(row is not None and row["ready"]))


def until_gone(desk: Desk, device: str) -> Steps[None]:
    """Wait until the device has no job; raises `GaveUp` where the job rests."""
    yield from _until(desk, device, lambda row: row is None)


def _until(desk: Desk, device: str, reached: Callable[[Row | None], bool]) -> Steps[None]:
    for _ in range(LOOKS):
        row = (yield from _rows(desk)).get(device)
        if reached(row):
            return
        if row is None:
            raise GaveUp(f"the mirror of {device} has ended before it was ready")
        if row["paused"] and row["io-status"] != "ok":
            raise GaveUp(f"the mirror of {device} rests after an error")
        for _ in range(PAUSE):
            yield Step(Phase.WAIT, device)
    raise GaveUp(f"the mirror of {device} takes too long")


def _rows(desk: Desk) -> Steps[dict[str, Row]]:
    rows = cast(list[Row], (yield from desk.must("query-block-jobs")))
    return {row["device"]: row for row in rows}


def complete(desk: Desk, move: Move) -> Steps[None]:
    """Ask for the switch; the answer comes before it."""
    yield from desk.must("block-job-complete", device=move.device)


def until_moved(desk: Desk, move: Move) -> Steps[None]:
    """Wait until the device has no job, then look; raises `GaveUp` where it does not show the new image."""
    yield from until_gone(desk, move.device)
    if not (yield from look(desk)).shows(move.device, move.new):
        raise GaveUp(f"{move.device} has not moved to {move.new.path}, and its mirror is gone")


def end_all(desk: Desk) -> Steps[None]:
    """End every job at once and wait until they are gone, whatever they have come to."""
    rows = yield from _rows(desk)
    for device in rows:
        yield from desk.execute("block-job-cancel", device=device, force=True)
    for device in rows:
        yield from until_gone(desk, device)

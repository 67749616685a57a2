"""Requests of every sort are on their way across every moment at which they could be lost or misled.

A drain or a freeze that nobody tests might as well be missing.  Here the requests are watched; that a
missing drain and a missing freeze are found is shown with the planted bugs in `tests/quality`.
"""

from itertools import combinations, pairwise

import attrs
import pytest

from blockops.device import Device, Hold, Operation, Request
from blockops.graph.node import Node
from blockops.lab.history import History, Written
from blockops.lab.judging import evidence_of
from blockops.lab.mirrors import MirrorWatch
from blockops.lab.world import Workload, World
from tests.lab.cases import explore, seen, setting, violated
from tests.quality.bugs_commands import no_drain

PACES = frozenset({"no-fault", "guest-runs", "guest-lags"})


@attrs.define
class Watch:
    """What was seen, over all cases: sorts of requests by what they were on their way across.

    *closing*: in flight when a gate closed.  *pivoted*: in flight on a device when it came to show
    another node.  *waited*: queued then.  *elsewhere*: in flight on one device when another changed.
    """

    closing: dict[Hold, set[str]] = attrs.field(factory=dict)
    pivoted: set[str] = attrs.field(factory=set)
    waited: set[str] = attrs.field(factory=set)
    elsewhere: set[str] = attrs.field(factory=set)


def sort(request: Request) -> str:
    """Return what sort of request it is: its operation, whether it is FUA, and within sectors."""
    inside = request.operation is Operation.WRITE and (request.offset % 512 or request.length % 512)
    return f"{'inside ' if inside else ''}{request.operation.value}{' FUA' if request.fua else ''}"


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    found, devices = Watch(), dict[int, Device]()
    close, look, submit = Device.close_gate, MirrorWatch.look, Device.submit

    def noted(device: Device, request: Request) -> None:
        devices[id(device)] = device
        submit(device, request)

    def closed(device: Device, hold: Hold) -> None:
        found.closing.setdefault(hold, set()).update(map(sort, device.in_flight))
        close(device, hold)

    def looked(mirrors: MirrorWatch, now: int) -> None:
        before: dict[str, Node | None] = dict(mirrors._seen)
        look(mirrors, now)
        mine = [device for device in devices.values() if device.graph is mirrors.graph]
        changed = [
            one for one in mine if before.get(one.name) is not None and before[one.name] is not one.top
        ]
        for device in mine if changed else []:
            if device in changed:
                found.pivoted.update(map(sort, device.in_flight))
                found.waited.update(map(sort, device.queue))
            else:
                found.elsewhere.update(map(sort, device.in_flight))

    monkeypatch.setattr(Device, "submit", noted)
    monkeypatch.setattr(Device, "close_gate", closed)
    monkeypatch.setattr(MirrorWatch, "look", looked)
    return found


EVERY = {"write", "inside write", "inside write FUA", "discard", "flush"}


def explored(contestant: str) -> None:
    """Run every pace of the standard world, and of those in which the guest has begun earlier or later."""
    for before in (1, World().workload.before, 8):
        world = World(workload=Workload(before=before))
        for one in explore(setting(contestant, "group-snapshot", world), PACES, 1000):
            assert one.broken == ()


def test_every_sort_of_request_is_in_flight_when_a_drain_begins_and_none_at_the_pivot(watch: Watch) -> None:
    explored("group-snapshot.hardened.naive")
    assert watch.closing[Hold.DRAIN] >= EVERY
    assert watch.pivoted == set()
    assert watch.waited >= EVERY


def test_every_sort_of_request_is_in_flight_when_a_freeze_begins(watch: Watch) -> None:
    explored("freeze.hardened.naive")
    assert watch.closing[Hold.FREEZE] >= EVERY
    assert watch.pivoted == set()
    assert watch.waited >= EVERY


def test_every_sort_of_request_is_in_flight_on_the_other_device_where_one_alone_is_drained(
    watch: Watch,
) -> None:
    explored("drive-migrate.hardened.naive")
    assert watch.elsewhere >= EVERY
    assert watch.pivoted == set()


# ------------------------------------------------------------------------------------ what the guest does


def history(devices: int, workload: Workload) -> History:
    use_case = "group-snapshot" if devices > 1 else "migrate-one"
    start = setting("transaction.hardened.naive", use_case, World(devices=devices, workload=workload))
    return evidence_of(start).history


LONG = Workload(before=80, after=40)
COMMIT, TABLES = 12 * 1024, 14 * 1024
"""Where the commit lane's part of each device begins, and in it the part for the data."""


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_a_commit_mark_follows_its_data_and_these_follow_their_log_record(devices: int) -> None:
    commits = [written for written in history(devices, LONG).writes if written.start >= COMMIT]
    threes = list(zip(commits[::3], commits[1::3], commits[2::3], strict=False))
    assert len(threes) >= 3
    for turn, (log, data, mark) in enumerate(threes):
        assert [one.device for one in (log, data, mark)] == [
            turn % devices,
            (turn + 1) % devices,
            turn % devices,
        ]
        assert (log.start < TABLES, data.start < TABLES, mark.start < TABLES) == (True, False, True)
        assert log.precedes(data)
        assert data.durable is not None
        assert data.durable <= mark.submitted
        assert (log.durable, mark.durable) == (log.acknowledged, mark.acknowledged)


def test_a_transaction_whose_log_record_failed_stores_nothing() -> None:
    for number in range(1, 40):
        found = seen(f"group-snapshot.hardened.naive/group-snapshot-2/eio+@{number}").history
        commits = [written for written in found.writes if written.start >= COMMIT]
        for log, following in pairwise(commits):
            assert log.acknowledged is not None or following.start < TABLES


def together(one: Written, other: Written) -> bool:
    """Whether two writes to the same bytes were in flight at the same time."""
    touch = one.device == other.device and one.start < other.end and other.start < one.end
    return touch and not one.precedes(other) and not other.precedes(one)


@pytest.mark.parametrize("in_flight", [1, 2, 3])
def test_writes_overlap_in_flight_in_sectors_that_they_cover_in_part(in_flight: int) -> None:
    writes = history(2, attrs.evolve(LONG, in_flight=in_flight)).writes
    pairs = [(one, other) for one, other in combinations(writes, 2) if together(one, other)]
    inside = [other for _, other in pairs if other.start % 512 and not other.discards]
    wiped = [one for pair in pairs for one in pair if one.discards]
    assert bool(pairs) is bool(inside) is bool(wiped) is (in_flight > 1)
    assert any(
        one.acknowledged and other.acknowledged and one.acknowledged > other.acknowledged
        for one, other in pairs
    ) is (in_flight > 1)


def test_without_discards_and_records_every_write_covers_whole_sectors() -> None:
    plain = attrs.evolve(LONG, record=512, shift=0, discard_every=0)
    for written in history(2, plain).writes:
        assert written.operation is Operation.WRITE
        assert written.start % 512 == written.end % 512 == 0


@pytest.mark.parametrize("size", [512, 1024, 1536, 4096])
def test_the_smallest_disks_are_worked_on_and_stay_right(size: int) -> None:
    start = setting("transaction.hardened.naive", "group-snapshot", World(size=size, cluster_size=512))
    for one in explore(start, None, 40):
        assert one.broken == ()
        assert "content" not in violated(one)
        assert "nothing-lost" not in violated(one)
    assert len(evidence_of(start).history.writes) > 8


def test_a_write_in_flight_at_the_pivot_completes_behind_it_where_a_drain_is_missing(watch: Watch) -> None:
    """What the honest run never shows, the watch does see."""
    with pytest.MonkeyPatch.context() as patch:
        no_drain(patch)
        for one in explore(setting("group-snapshot.hardened.naive", "group-snapshot", World()), PACES, 40):
            assert one.broken == ()
    assert "write" in watch.pivoted

"""blkmirror: what goes to the source, what to both, and what an error of one leg leaves behind.

Source: semantics.md, section 2 (the driver of Simoncelli's and Bonzini's patches).
"""

import errno

import pytest

from blockops.device import Device, Operation, Request
from blockops.errors import HostError, InvalidRequest
from blockops.graph.blkmirror import MirrorNode
from blockops.graph.change import Mirror
from blockops.graph.node import ImageNode
from tests.graph.bench import CLUSTER, SIZE, Bench, make_bench

SOURCE, TARGET = "/vm/source", "/vm/target"


class Mirrored:
    """A device whose writes go to two flat images."""

    def __init__(self, target_size: int = SIZE) -> None:
        self.bench: Bench = make_bench()
        self.source: ImageNode = self.bench.show("d0", self.bench.make(SOURCE))
        self.source.write(0, b"older")
        self.source.flush()
        self.target: ImageNode = self.bench.open(self.bench.make(TARGET, size=target_size))
        self.bench.apply(Mirror("d0", self.target))
        self.device = Device("d0", self.bench.graph)
        self.bench.host.log.clear()

    def touched(self) -> set[str]:
        return {path for _, path in self.bench.host.log}

    def asked(self, request: Request) -> Request:
        self.device.submit(request)
        self.device.complete(request)
        return request


@pytest.fixture
def mirrored() -> Mirrored:
    return Mirrored()


WRITES = {
    "write": Request(Operation.WRITE, 0, 4, b"data"),
    "write-zeroes": Request(Operation.WRITE_ZEROES, 0, CLUSTER),
    "discard": Request(Operation.DISCARD, 0, CLUSTER),
}


def again(request: Request) -> Request:
    return Request(request.operation, request.offset, request.length, request.data)


def test_a_read_comes_from_the_source_and_does_not_touch_the_target(mirrored: Mirrored) -> None:
    mirrored.target.write(0, b"other")
    mirrored.bench.host.log.clear()
    assert mirrored.device.read(0, 5) == b"older"
    assert TARGET not in mirrored.touched()


def test_a_flush_makes_the_source_durable_and_leaves_the_target_as_it_is(mirrored: Mirrored) -> None:
    mirrored.device.write(0, b"data")
    mirrored.bench.host.log.clear()
    mirrored.device.flush()
    flushed = [path for operation, path in mirrored.bench.host.log if operation == "flush"]
    assert flushed
    assert set(flushed) == {SOURCE}


@pytest.mark.parametrize("request_", WRITES.values(), ids=list(WRITES))
def test_what_changes_the_disk_goes_to_both(mirrored: Mirrored, request_: Request) -> None:
    for leg in (mirrored.source, mirrored.target):
        leg.write(0, b"x" * CLUSTER)
    mirrored.asked(again(request_))
    after = mirrored.source.read(0, CLUSTER)
    assert after != b"x" * CLUSTER
    assert mirrored.target.read(0, CLUSTER) == after


@pytest.mark.parametrize("leg", [SOURCE, TARGET])
def test_the_error_of_one_leg_goes_to_the_guest_after_the_other_has_been_written(
    mirrored: Mirrored, leg: str
) -> None:
    mirrored.bench.host.fail("write", leg, code=errno.ENOSPC)
    request = mirrored.asked(again(WRITES["write"]))
    assert isinstance(request.error, HostError)
    assert (request.error.path, request.error.code) == (leg, errno.ENOSPC)
    other = mirrored.target if leg == SOURCE else mirrored.source
    assert other.read(0, 4) == b"data"


def test_where_both_legs_fail_the_guest_learns_of_the_source(mirrored: Mirrored) -> None:
    mirrored.bench.host.fail("write", SOURCE, code=errno.EIO)
    mirrored.bench.host.fail("write", TARGET, code=errno.ENOSPC)
    error = mirrored.asked(again(WRITES["write"])).error
    assert isinstance(error, HostError)
    assert (error.path, error.code) == (SOURCE, errno.EIO)
    assert {("write", SOURCE), ("write", TARGET)} <= set(mirrored.bench.host.log), "both were tried"


@pytest.mark.parametrize("leg", [SOURCE, TARGET])
def test_after_an_error_the_legs_differ_and_mirroring_goes_on(mirrored: Mirrored, leg: str) -> None:
    mirrored.bench.host.fail("write", leg, times=1)
    assert mirrored.asked(again(WRITES["write"])).error is not None
    later = Request(Operation.WRITE, CLUSTER, 5, b"later")
    assert mirrored.asked(later).error is None
    for node in (mirrored.source, mirrored.target):
        assert node.read(CLUSTER, 5) == b"later"
    assert mirrored.source.read(0, 4) != mirrored.target.read(0, 4), "nothing remembers what is missing"


def test_a_target_that_cannot_be_read_does_not_disturb_the_guests_reads(mirrored: Mirrored) -> None:
    mirrored.bench.host.fail("read", TARGET)
    assert mirrored.device.read(0, 5) == b"older"


def test_the_length_is_the_targets() -> None:
    shown = Mirrored(target_size=2 * SIZE).bench.graph.tops["d0"]
    assert shown is not None
    assert shown.size == 2 * SIZE


def test_past_the_end_of_a_short_target_the_source_is_written_and_the_guest_gets_an_error() -> None:
    short = Mirrored(target_size=CLUSTER)
    request = short.asked(Request(Operation.WRITE, CLUSTER, 4, b"data"))
    assert isinstance(request.error, InvalidRequest)
    assert short.source.read(CLUSTER, 4) == b"data"


def test_a_mirror_shows_its_source_through_any_number_of_filters(mirrored: Mirrored) -> None:
    bench = mirrored.bench
    second = bench.open(bench.make("/vm/second"))
    bench.apply(Mirror("d0", second))
    shown = bench.graph.tops["d0"]
    assert isinstance(shown, MirrorNode)
    assert shown.source is mirrored.source
    mirrored.device.write(0, b"three")
    for node in (mirrored.source, mirrored.target, second):
        assert node.read(0, 5) == b"three"


def test_a_mirror_is_as_writable_as_what_is_below_it() -> None:
    bench = make_bench()
    bench.show("d0", bench.make(SOURCE), writable=False)
    bench.apply(Mirror("d0", bench.open(bench.make(TARGET))))
    shown = bench.graph.tops["d0"]
    assert shown is not None
    assert not shown.writable


def test_closing_and_abandoning_a_mirror_leave_its_legs_to_the_graph(mirrored: Mirrored) -> None:
    shown = mirrored.bench.graph.tops["d0"]
    assert shown is not None
    shown.close()
    shown.abandon()
    assert mirrored.bench.handles() == [SOURCE, TARGET]
    assert mirrored.device.read(0, 5) == b"older"

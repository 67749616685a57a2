"""What a write of the guest means: whole sectors, no order in flight, and durable where it says so."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.device import Device, Operation, Request
from blockops.errors import HostError, InvalidRequest
from blockops.units import SECTOR
from tests.graph.bench import SIZE, Bench, make_bench


@attrs.define(eq=False)
class Scene:
    """Device d0 on a flat image."""

    bench: Bench = attrs.field(factory=make_bench)
    device: Device = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.bench.show("d0", self.bench.make("/vm/d0"))
        self.device = Device("d0", self.bench.graph)

    def fresh(self) -> bytes:
        """Return what the file alone holds: nothing that the process keeps in memory."""
        return self.bench.open("/vm/d0", None, lock=False).read(0, SIZE)


def write(offset: int, data: bytes, *, fua: bool = False) -> Request:
    return Request(Operation.WRITE, offset, len(data), data, fua)


def test_writes_in_flight_to_different_bytes_of_a_sector_both_stay() -> None:
    for turned in (False, True):
        device = Scene().device
        device.write(0, b"-" * SECTOR)
        requests = [write(0, b"first"), write(100, b"second")]
        for request in requests:
            device.submit(request)
        for request in reversed(requests) if turned else requests:
            device.complete(request)
        found = device.read(0, SECTOR)
        assert (found[:5], found[100:106]) == (b"first", b"second")
        assert set(found[5:100] + found[106:]) == set(b"-")


def test_a_write_inside_a_sector_reaches_the_image_as_the_whole_sector() -> None:
    scene = Scene()
    top = scene.device.medium
    seen: list[tuple[int, int]] = []
    honest = top.write

    def noted(offset: int, data: bytes) -> None:
        seen.append((offset, len(data)))
        honest(offset, data)

    class Watched:
        """The node, with its writes noted."""

        size, writable, read = top.size, True, top.read
        write = staticmethod(noted)

    for offset, length in ((0, 512), (3, 4), (510, 4), (1024, 700), (SIZE - 1, 1)):
        request = write(offset, b"x" * length)
        scene.device.submit(request)
        request.node = Watched()  # type: ignore[assignment]  # all that a write needs of a node
        scene.device.complete(request)
        assert request.error is None
    assert seen == [(0, 512), (0, 512), (0, 1024), (1024, 1024), (SIZE - SECTOR, SECTOR)]


@given(
    st.lists(
        st.tuples(st.integers(0, SIZE - 1), st.binary(min_size=1, max_size=1300), st.booleans()), max_size=8
    )
)
def test_writes_at_any_offset_leave_every_other_byte_alone(writes: list[tuple[int, bytes, bool]]) -> None:
    scene, model = Scene(), bytearray(SIZE)
    for offset, drawn, fua in writes:
        data = drawn[: SIZE - offset]
        scene.device.do(write(offset, data, fua=fua))
        model[offset : offset + len(data)] = data
    assert scene.device.read(0, SIZE) == model


@pytest.mark.parametrize("offset", [-1, SIZE - 1, SIZE, SIZE + 3])
def test_a_write_that_leaves_the_disk_is_refused_and_writes_nothing(offset: int) -> None:
    scene = Scene()
    with pytest.raises(InvalidRequest):
        scene.device.do(write(offset, b"xy"))
    assert scene.device.read(0, SIZE) == bytes(SIZE)


def test_only_an_fua_write_is_durable_when_it_is_done() -> None:
    scene = Scene()
    scene.device.do(write(0, b"plain"))
    assert scene.fresh()[:5] == bytes(5)
    scene.device.do(write(4096, b"forced", fua=True))
    assert scene.fresh()[4096:4102] == b"forced"


def test_zeroes_can_be_durable_too() -> None:
    scene = Scene()
    scene.device.write(0, b"x" * 4096)
    scene.device.flush()
    scene.device.do(Request(Operation.WRITE_ZEROES, 0, 4096, fua=True))
    assert scene.fresh()[:4096] == bytes(4096)


def test_where_the_flush_of_an_fua_write_fails_so_does_the_write() -> None:
    scene = Scene()
    scene.bench.host.fail("flush", "/vm/d0", times=1)
    with pytest.raises(HostError):
        scene.device.do(write(0, b"forced", fua=True))
    assert scene.device.read(0, 6) == b"forced"
    scene.device.do(write(0, b"again!", fua=True))
    assert scene.fresh()[:6] == b"again!"

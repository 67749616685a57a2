"""What requests do to a device, in what order they are answered, and what is refused."""

import errno
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockops.device import Hold, Operation, Request, drain, resume
from blockops.errors import (
    BlockError,
    DeviceHasNoMedium,
    DeviceNotFound,
    HostError,
    ImageError,
    InvalidRequest,
    UnsupportedFeature,
)
from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.machine import Machine
from blockops.nbd.protocol import Error
from blockops.nbd.transmission import AT_ONCE, error_of
from tests.nbd.client import (
    BLOCK_STATUS,
    DF,
    DISCONNECT,
    FLUSH,
    FUA,
    MIB,
    NO_HOLE,
    READ,
    REQ_ONE,
    TRIM,
    WRITE,
    WRITE_ZEROES,
    using,
)
from tests.nbd.serving import Served, served

SIZE = 96 * MIB
CLUSTER = 65536


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Served]:
    host = MemoryFolder(MemoryDisk())
    create_image(host, NewImage("a", "qcow2", SIZE), durable=False)
    machine = Machine(host)
    machine.attach("d0", "a")
    with served(machine, tmp_path / "socket") as running:
        yield running


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("structured", [False, True])
def test_what_is_written_is_read(one: Served, structured: bool) -> None:
    with using(one.path, structured=structured) as client:
        data = bytes(range(256)) * 300
        assert client.ask(WRITE, 1000, data=data).error == 0
        assert client.ask(READ, 900, len(data) + 200).data == bytes(100) + data + bytes(100)
        assert client.ask(WRITE_ZEROES, 1100, 300).error == 0
        assert client.ask(READ, 1000, 500).data == data[:100] + bytes(300) + data[400:500]
        assert client.ask(TRIM, 0, CLUSTER).error == 0
        assert client.ask(READ, 0, CLUSTER).data == bytes(CLUSTER)
        assert client.ask(FLUSH).error == 0


def test_the_longest_payload_passes(one: Served) -> None:
    with using(one.path) as client:
        data = bytes([7]) * (32 * MIB)
        assert client.ask(WRITE, 5 * MIB, data=data).error == 0
        assert client.ask(READ, 5 * MIB, len(data)).data == data


@pytest.mark.parametrize("flags", [0, NO_HOLE])
def test_zeros_have_a_place_only_where_no_hole_is_asked_for(one: Served, flags: int) -> None:
    with using(one.path, status=True) as client:
        client.ask(WRITE, 0, data=b"x" * (4 * MIB))
        assert client.ask(WRITE_ZEROES, MIB, 2 * MIB, flags=flags).error == 0
        assert client.ask(READ, MIB, 2 * MIB).data == bytes(2 * MIB)
        hole = ((2 * MIB, 3),) if not flags else ((2 * MIB, 0),)
        assert client.ask(BLOCK_STATUS, MIB, 2 * MIB).extents == hole


def test_the_status_says_what_is_allocated_and_what_is_a_hole(one: Served) -> None:
    with using(one.path, status=True) as client:
        client.ask(WRITE, 3 * CLUSTER, data=b"x" * (2 * CLUSTER))
        whole = client.ask(BLOCK_STATUS, 0, SIZE).extents
        assert whole == ((3 * CLUSTER, 3), (2 * CLUSTER, 0), (SIZE - 5 * CLUSTER, 3))
        inside = client.ask(BLOCK_STATUS, 3 * CLUSTER + 5, 3 * CLUSTER).extents
        assert inside == ((2 * CLUSTER - 5, 0), (CLUSTER + 5, 3))
        assert client.ask(BLOCK_STATUS, 0, SIZE, flags=REQ_ONE).extents == whole[:1]
        assert client.ask(BLOCK_STATUS, 0, 0).error == errno.EINVAL


def test_one_reply_tells_of_so_many_stretches_and_the_client_asks_on(one: Served) -> None:
    with using(one.path, status=True) as client:
        for cluster in range(1, SIZE // CLUSTER, 2):
            client.ask(WRITE, cluster * CLUSTER, data=b"x")
        extents: list[tuple[int, int]] = []
        offset = 0
        while offset < SIZE:
            found = client.ask(BLOCK_STATUS, offset, SIZE - offset).extents
            assert len(found) <= 1024
            extents += found
            offset += sum(length for length, _ in found)
        assert extents == [(CLUSTER, 3), (CLUSTER, 0)] * (SIZE // CLUSTER // 2)


@pytest.mark.parametrize(
    ("command", "offset", "length", "flags", "error"),
    [
        (READ, SIZE - 1, 2, 0, errno.EINVAL),
        (READ, 1 << 63, 512, 0, errno.EINVAL),
        (TRIM, SIZE, 1, 0, errno.EINVAL),
        (WRITE_ZEROES, SIZE - 511, 512, 0, errno.ENOSPC),
        (READ, 0, 32 * MIB + 1, 0, errno.EINVAL),
        (READ, 0, 512, FUA, errno.EINVAL),
        (FLUSH, 0, 0, FUA, errno.EINVAL),
        (WRITE_ZEROES, 0, 512, DF, errno.EINVAL),
        (WRITE_ZEROES, 0, 512, 1 << 4, errno.EINVAL),  # fast zero, which is not offered
        (BLOCK_STATUS, 0, 512, 0, errno.EINVAL),  # not agreed upon
        (5, 0, 512, 0, errno.EINVAL),  # cache, which is not offered
        (99, 0, 0, 0, errno.EINVAL),
    ],
)
@pytest.mark.parametrize("structured", [False, True])
def test_what_cannot_be_is_an_error_with_a_reason_and_the_next_is_answered(
    one: Served, structured: bool, command: int, offset: int, length: int, flags: int, error: int
) -> None:
    with using(one.path, structured=structured) as client:
        reply = client.ask(command, offset, length, flags=flags)
        assert reply.error == error
        assert bool(reply.data) is structured
        assert client.ask(READ, 0, 512).error == 0


def test_a_write_that_is_refused_takes_its_payload_with_it(one: Served) -> None:
    with using(one.path) as client:
        assert client.ask(WRITE, SIZE - 1, data=b"xy").error == errno.ENOSPC
        client.send(WRITE, 0, 33 * MIB, bytes(33 * MIB))
        assert client.reply().error == errno.EINVAL
        assert client.ask(READ, SIZE - 1, 1).data == b"\0"


def test_a_request_that_begins_as_none_ends_the_connection(one: Served) -> None:
    with using(one.path) as client:
        client.socket.sendall(b"\x25\x60\x95\x14" + bytes(24))
        assert client.closed()


@pytest.mark.parametrize("command", [WRITE, WRITE_ZEROES])
def test_a_forced_write_is_durable_when_it_is_answered(one: Served, command: int) -> None:
    with using(one.path) as client:
        client.ask(WRITE, 0, data=b"x" * CLUSTER)
        assert one.call(lambda: one.machine.device("d0").medium.source.image.dirty)  # type: ignore[attr-defined]
        data = b"y" * 512 if command == WRITE else b""
        client.ask(command, 0, 0 if data else 512, data, flags=FUA)
        assert not one.call(lambda: one.machine.device("d0").medium.source.image.dirty)  # type: ignore[attr-defined]


def test_what_a_closed_gate_holds_back_waits_and_is_done_in_order_when_it_opens(one: Served) -> None:
    device = one.machine.device("d0")
    one.call(lambda: device.close_gate(Hold.FREEZE))
    with using(one.path) as client, using(one.path) as other:
        first = client.send(WRITE, 0, data=b"1" * 512)
        eventually(lambda: len(device.queue) == 1)
        second = other.send(WRITE, 0, data=b"2" * 512)
        eventually(lambda: len(device.queue) == 2)
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.reply()
        client.socket.settimeout(30)
        one.call(lambda: device.open_gate(Hold.FREEZE))
        assert (client.reply().cookie, other.reply().cookie) == (first, second)
        assert client.ask(READ, 0, 3).data == b"222"


def test_replies_come_as_they_are_ready_and_say_whose_they_are(one: Served) -> None:
    """What is read beyond the end is refused at once, while what was asked for before waits."""
    device = one.machine.device("d0")
    with using(one.path) as client:
        one.call(lambda: device.close_gate(Hold.DRAIN))
        late, soon = client.send(READ, 0, 512), client.send(READ, SIZE, 512)
        assert (refused := client.reply()).cookie == soon
        assert refused.error == errno.EINVAL
        one.call(lambda: device.open_gate(Hold.DRAIN))
        assert client.reply().cookie == late


def test_only_so_many_requests_of_a_connection_are_taken_at_once(one: Served) -> None:
    device = one.machine.device("d0")
    one.call(lambda: device.close_gate(Hold.FREEZE))
    with using(one.path) as client:
        sent = [client.send(READ, number * 512, 512) for number in range(3 * AT_ONCE)]
        eventually(lambda: len(device.queue) == AT_ONCE)
        one.call(lambda: device.open_gate(Hold.FREEZE))
        assert sorted(client.reply().cookie for _ in sent) == sent


def test_a_drain_waits_for_what_clients_have_in_flight(one: Served) -> None:
    device = one.machine.device("d0")
    with using(one.path) as client:
        for number in range(8):
            client.send(WRITE, number * CLUSTER, data=bytes([number + 1]) * 512)
        one.run(drain([device]))
        assert not device.in_flight
        one.call(lambda: resume([device]))
        assert [client.reply().error for _ in range(8)] == [0] * 8


def test_a_client_that_goes_without_a_word_has_its_requests_carried_out(one: Served) -> None:
    device = one.machine.device("d0")
    one.call(lambda: device.close_gate(Hold.FREEZE))
    with using(one.path) as client:
        client.send(WRITE, 0, data=b"kept")
        eventually(lambda: len(device.queue) == 1)
    one.call(lambda: device.open_gate(Hold.FREEZE))
    with using(one.path) as client:
        assert client.ask(READ, 0, 4).data == b"kept"
        client.send(DISCONNECT)
        assert client.closed()


def test_the_end_of_the_server_finishes_what_is_in_flight_and_waits_for_no_gate(tmp_path: Path) -> None:
    host = MemoryFolder(MemoryDisk())
    for name in ("a", "b"):
        create_image(host, NewImage(name, "qcow2", MIB), durable=False)
    machine = Machine(host)
    for name, image in (("d0", "a"), ("d1", "b")):
        machine.attach(name, image)
    with served(machine, tmp_path / "socket") as running:
        running.call(lambda: machine.device("d1").close_gate(Hold.FREEZE))
        with using(running.path) as client, using(running.path, "d1") as held:
            client.ask(WRITE, 0, data=b"done")
            held.send(WRITE, 0, data=b"never")
            eventually(lambda: len(machine.device("d1").queue) == 1)
            running.end()
            assert client.closed()
            assert held.closed()


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (HostError("write", "/x", errno.ENOSPC), Error.ENOSPC),
        (HostError("write", "/x", errno.ENOMEDIUM), Error.EIO),
        (InvalidRequest("device 'd0'", "it is read-only"), Error.EPERM),
        (UnsupportedFeature("/x", "that"), Error.ENOTSUP),
        (DeviceNotFound("d0"), Error.ESHUTDOWN),
        (DeviceHasNoMedium("d0"), Error.EIO),
        (ImageError("/x", "L2 table", 0, "bad"), Error.EIO),
    ],
)
def test_every_failure_of_a_device_has_a_number(error: BlockError, number: Error) -> None:
    assert error_of(error) is number


def test_a_read_only_device_refuses_writes_and_one_that_is_gone_all(tmp_path: Path) -> None:
    host = MemoryFolder(MemoryDisk())
    create_image(host, NewImage("a", "qcow2", MIB), durable=False)
    machine = Machine(host)
    machine.attach("d0", "a", read_only=True)
    with served(machine, tmp_path / "socket") as running, using(running.path) as client:
        assert client.ask(WRITE, 0, data=b"x").error == errno.EPERM
        assert client.ask(READ, 0, 1).error == 0
        running.call(lambda: machine.detach("d0"))
        assert client.ask(READ, 0, 1).error == errno.ESHUTDOWN


@settings(max_examples=40)
@given(noise=st.binary(min_size=1, max_size=100), magic=st.booleans())
def test_whatever_comes_in_place_of_a_request_the_others_are_served(
    noise: bytes, magic: bool, shared: Served
) -> None:
    with using(shared.path) as client:
        client.socket.sendall((b"\x25\x60\x95\x13" if magic else b"") + noise)
        client.socket.shutdown(socket.SHUT_WR)
    with using(shared.path) as client:
        assert client.ask(READ, 0, 1).error == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    host = MemoryFolder(MemoryDisk())
    create_image(host, NewImage("a", "qcow2", MIB), durable=False)
    machine = Machine(host)
    machine.attach("d0", "a")
    with served(machine, tmp_path_factory.mktemp("nbd") / "socket") as running:
        yield running


def test_requests_of_python_and_of_clients_meet_in_one_device(one: Served) -> None:
    device = one.machine.device("d0")
    with using(one.path) as client:
        client.ask(WRITE, 0, data=b"abc")

        def read() -> bytes:
            request = Request(Operation.READ, 0, 3)
            device.submit(request)
            device.complete(request)
            return request.data

        assert one.call(read) == b"abc"

"""How a client comes to use an export, and what it is told before."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.machine import Machine
from tests.nbd.client import (
    ABORT,
    ACK,
    EXPORT_NAME,
    GO,
    INFO,
    INFO_REPLY,
    INVALID,
    LIST,
    LIST_META,
    META,
    MIB,
    READ,
    SERVER,
    SET_META,
    STARTTLS,
    STRUCTURED,
    TOO_BIG,
    UNKNOWN,
    UNSUPPORTED,
    connected,
    named,
    queried,
    using,
)
from tests.nbd.serving import Served, served

ALL_BUT_READ_ONLY = 0b1_1110_1101


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    host = MemoryFolder(MemoryDisk())
    for name in ("a", "b"):
        create_image(host, NewImage(name, "qcow2", 8 * MIB), durable=False)
    machine = Machine(host)
    machine.attach("d0", "a")
    machine.attach("d1", "b", read_only=True)
    machine.attach("empty", None)
    with served(machine, tmp_path_factory.mktemp("nbd") / "socket") as running:
        yield running


def test_the_list_has_every_device_with_a_medium(two: Served) -> None:
    with connected(two.path) as client:
        client.greet()
        assert client.option(LIST) == [(SERVER, b"\0\0\0\2d0"), (SERVER, b"\0\0\0\2d1"), (ACK, b"")]
        assert client.option(LIST, b"x")[0][0] == INVALID


def test_an_export_has_its_size_its_flags_and_what_else_is_asked_for(two: Served) -> None:
    with connected(two.path) as client:
        client.greet()
        export = struct.pack(">HQH", 0, 8 * MIB, ALL_BUT_READ_ONLY)
        assert client.option(INFO, named("d0")) == [(INFO_REPLY, export), (ACK, b"")]
        read_only = struct.pack(">HQH", 0, 8 * MIB, ALL_BUT_READ_ONLY | 2)
        assert client.option(GO, named("d1", 3, 1, 99)) == [
            (INFO_REPLY, struct.pack(">HIII", 3, 1, 65536, 32 * MIB)),
            (INFO_REPLY, b"\0\1d1"),
            (INFO_REPLY, read_only),
            (ACK, b""),
        ]
        assert client.ask(READ, 0, 512).data == bytes(512)


@pytest.mark.parametrize("name", ["", "d2", "empty", "D0"])
def test_what_is_not_exported_is_unknown_and_the_next_option_is_answered(two: Served, name: str) -> None:
    with connected(two.path) as client:
        client.greet()
        assert client.option(GO, named(name)) == [(UNKNOWN, f"no export '{name}'".encode())]
        assert client.option(GO, named("d0"))[-1][0] == ACK


def test_the_empty_name_is_the_only_device_where_there_is_one(tmp_path: Path) -> None:
    host = MemoryFolder(MemoryDisk())
    create_image(host, NewImage("a", "qcow2", MIB), durable=False)
    machine = Machine(host)
    machine.attach("root", "a")
    with served(machine, tmp_path / "socket") as running, connected(running.path) as client:
        client.greet()
        assert client.option(INFO, named("", 1))[0] == (INFO_REPLY, b"\0\1root")


@pytest.mark.parametrize("flags", [1, 3])
def test_the_old_way_to_use_an_export_works_with_zeroes_and_without(two: Served, flags: int) -> None:
    with connected(two.path) as client:
        client.greet(flags)
        client.send_option(EXPORT_NAME, b"d0")
        assert client.take(10) == struct.pack(">QH", 8 * MIB, ALL_BUT_READ_ONLY)
        if flags == 1:
            assert client.take(124) == bytes(124)
        assert client.ask(READ, 100, 7).data == bytes(7)


def test_the_old_way_to_an_export_that_is_none_ends_the_connection(two: Served) -> None:
    for data, length in ((b"nobody", None), (b"", 1 << 31)):
        with connected(two.path) as client:
            client.greet()
            client.send_option(EXPORT_NAME, data, length=length)
            assert client.closed()


@pytest.mark.parametrize("flags", [0, 2, 5, 0xFFFFFFFF])
def test_a_client_of_another_style_is_sent_away(two: Served, flags: int) -> None:
    with connected(two.path) as client:
        client.greet(flags)
        assert client.closed()


def test_whoever_aborts_is_let_go(two: Served) -> None:
    with connected(two.path) as client:
        client.greet()
        assert client.option(ABORT) == [(ACK, b"")]
        assert client.closed()


@pytest.mark.parametrize("option", [STARTTLS, 4, 11, 0, 12345])
def test_an_option_that_is_not_known_is_unsupported(two: Served, option: int) -> None:
    with connected(two.path) as client:
        client.greet()
        for data in (b"", b"whatever"):
            assert client.option(option, data)[0][0] == UNSUPPORTED
        assert client.option(GO, named("d0"))[-1][0] == ACK


@pytest.mark.parametrize(
    ("option", "data"),
    [
        (INFO, b""),
        (GO, named("d0") + b"x"),
        (GO, named("d0")[:-1]),
        (GO, struct.pack(">I", 0xFFFFFFFF) + b"d0"),
        (GO, named("d0", 3)[:-1]),
        (GO, b"\0\0\0\2\xff\xfe\0\0"),
        (GO, named("x" * 5000)),
        (STRUCTURED, b"x"),
        (LIST_META, queried("d0", "base:allocation")[:-1]),
        (SET_META, queried("d0", "base:allocation")),  # no structured replies yet
    ],
)
def test_an_option_whose_data_is_wrong_is_invalid_and_the_next_is_answered(
    two: Served, option: int, data: bytes
) -> None:
    with connected(two.path) as client:
        client.greet()
        ((sort, why),) = client.option(option, data)
        assert sort == INVALID
        assert why
        assert client.option(GO, named("d0"))[-1][0] == ACK


def test_an_option_that_is_too_long_is_skipped_and_refused(two: Served) -> None:
    with connected(two.path) as client:
        client.greet()
        assert client.option(INFO, bytes(5 * MIB))[0][0] == TOO_BIG
        assert client.option(GO, named("d0"))[-1][0] == ACK


@pytest.mark.parametrize("queries", [(), ("base:",), ("qemu:", "base:allocation")])
def test_the_contexts_can_be_listed(two: Served, queries: tuple[str, ...]) -> None:
    with connected(two.path) as client:
        client.greet()
        assert client.option(LIST_META, queried("d0", *queries)) == [
            (META, b"\0\0\0\0base:allocation"),
            (ACK, b""),
        ]
        assert client.option(LIST_META, queried("d0", "qemu:")) == [(ACK, b"")]
        assert client.option(LIST_META, queried("d9"))[0][0] == UNKNOWN


def test_a_context_is_selected_for_one_export_by_the_last_who_selects(two: Served) -> None:
    with connected(two.path) as client:
        client.greet()
        client.option(STRUCTURED)
        assert client.option(SET_META, queried("d0", "base:allocation")) == [
            (META, b"\0\0\0\1base:allocation"),
            (ACK, b""),
        ]
        assert client.option(SET_META, queried("d0", "base:")) == [(ACK, b"")]
        client.option(GO, named("d0"))
        assert client.ask(7, 0, 512).error == 22


@settings(max_examples=60)
@given(noise=st.binary(max_size=80), options=st.booleans())
def test_whatever_a_client_says_the_others_are_served(two: Served, noise: bytes, options: bool) -> None:
    with connected(two.path) as client:
        if options:
            client.greet()
            client.socket.sendall(b"IHAVEOPT" + noise)
        else:
            client.socket.sendall(noise)
    with using(two.path) as client:
        assert client.ask(READ, 0, 1).error == 0

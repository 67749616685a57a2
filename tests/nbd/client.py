"""A client that says exactly what it is told to, also what no client should."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

OPTION_MAGIC = b"IHAVEOPT"
EXPORT_NAME, ABORT, LIST, STARTTLS, INFO, GO, STRUCTURED, LIST_META, SET_META = 1, 2, 3, 5, 6, 7, 8, 9, 10
ACK, SERVER, INFO_REPLY, META = 1, 2, 3, 4
UNSUPPORTED, INVALID, UNKNOWN, TOO_BIG = (2**31 + number for number in (1, 3, 6, 9))
READ, WRITE, DISCONNECT, FLUSH, TRIM, WRITE_ZEROES, BLOCK_STATUS = 0, 1, 2, 3, 4, 6, 7
FUA, NO_HOLE, DF, REQ_ONE = 1, 2, 4, 8
MIB = 1 << 20


def named(name: str, *info: int) -> bytes:
    """The data of INFO and GO."""
    data = name.encode()
    return struct.pack(">I", len(data)) + data + struct.pack(f">H{len(info)}H", len(info), *info)


def queried(name: str, *queries: str) -> bytes:
    """The data of LIST_META and SET_META."""
    texts = [name.encode(), *(query.encode() for query in queries)]
    first, *others = [struct.pack(">I", len(text)) + text for text in texts]
    return first + struct.pack(">I", len(others)) + b"".join(others)


@attrs.frozen
class Reply:
    """A reply to a request: *error*, or *data*; of structured ones the sorts of the chunks, and extents."""

    cookie: int
    error: int = 0
    data: bytes = b""
    sorts: tuple[int, ...] = ()
    extents: tuple[tuple[int, int], ...] = ()


@attrs.define(eq=False)
class RawClient:
    """A connection."""

    socket: socket.socket
    structured: bool = False
    cookie: int = 1 << 60

    def take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionResetError(f"closed after {len(data)} of {size} bytes")
            data += more
        return data

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def greet(self, flags: int = 3) -> None:
        assert self.take(18) == b"NBDMAGICIHAVEOPT\x00\x03"
        self.socket.sendall(struct.pack(">I", flags))

    def send_option(self, option: int, data: bytes = b"", *, length: int | None = None) -> None:
        announced = len(data) if length is None else length
        self.socket.sendall(OPTION_MAGIC + struct.pack(">II", option, announced) + data)

    def option(self, option: int, data: bytes = b"") -> list[tuple[int, bytes]]:
        """Send an option and return the replies, up to the one that ends it."""
        self.send_option(option, data)
        return self.option_replies(option)

    def option_replies(self, option: int) -> list[tuple[int, bytes]]:
        replies: list[tuple[int, bytes]] = []
        while not replies or (replies[-1][0] != ACK and replies[-1][0] < 2**31):
            assert self.number(8) == 0x3E889045565A9
            assert self.number(4) == option
            sort, length = self.number(4), self.number(4)
            replies.append((sort, self.take(length)))
        if option == STRUCTURED and replies[-1][0] == ACK:
            self.structured = True
        return replies

    def send(
        self, command: int, offset: int = 0, length: int = 0, data: bytes = b"", *, flags: int = 0
    ) -> int:
        """Send a request, return the cookie that its reply will have."""
        self.cookie += 1
        size = length or len(data)
        header = struct.pack(">IHHQQI", 0x25609513, flags, command, self.cookie, offset, size)
        self.socket.sendall(header + data)
        return self.cookie

    def ask(
        self, command: int, offset: int = 0, length: int = 0, data: bytes = b"", *, flags: int = 0
    ) -> Reply:
        """Send a request and return its reply."""
        cookie = self.send(command, offset, length, data, flags=flags)
        reply = self.reply(length if command == READ else 0)
        assert reply.cookie == cookie
        return reply

    def reply(self, length: int = 0) -> Reply:
        """Return the next reply; *length* is of a read's data, where replies are simple."""
        magic = self.number(4)
        if magic == 0x67446698:
            error, cookie = self.number(4), self.number(8)
            return Reply(cookie, error, b"" if error else self.take(length))
        assert magic == 0x668E33EF
        flags, sort, cookie = self.number(2), self.number(2), self.number(8)
        data = self.take(self.number(4))
        assert flags == 1, "all our replies are of one chunk"
        if sort == 2**15 + 1:
            error, size = struct.unpack(">IH", data[:6])
            assert len(data) == 6 + size
            return Reply(cookie, error, data[6:], (sort,))
        if sort == 5:
            numbers = struct.unpack(f">{len(data) // 4}I", data)
            return Reply(cookie, 0, b"", (sort,), tuple(zip(numbers[1::2], numbers[2::2], strict=True)))
        return Reply(cookie, 0, data[8:], (sort,))

    def closed(self) -> bool:
        """Whether the server has closed the connection and said nothing more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


@contextmanager
def connected(path: Path) -> Iterator[RawClient]:
    """Yield a connection that nothing has been said on."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        yield RawClient(connection)


@contextmanager
def using(
    path: Path, name: str = "d0", *, structured: bool = True, status: bool = False
) -> Iterator[RawClient]:
    """Yield a connection that uses an export."""
    with connected(path) as client:
        client.greet()
        if structured:
            assert client.option(STRUCTURED) == [(ACK, b"")]
        if status:
            assert client.option(SET_META, queried(name, "base:allocation"))[-1][0] == ACK
        assert client.option(GO, named(name))[-1][0] == ACK
        yield client

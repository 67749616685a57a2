"""The bytes of NBD: numbers by name, messages taken apart and put together.

Nothing here reads or writes; whatever comes in, `Malformed` is the worst that comes out.
"""

import enum
import struct
from typing import Final, Self

import attrs

MAX_PAYLOAD: Final = 32 << 20
"""The longest read or write in bytes: what clients may count on without asking (NBD, "Block sizes")."""

MAX_NAME: Final = 4096
"""The longest name of an export in bytes (NBD, "Terminology")."""

MAX_OPTION: Final = 64 << 10
"""The longest option that is looked at, in bytes (our choice); longer ones are skipped and refused."""

GREETING: Final = struct.pack(">8s8sH", b"NBDMAGIC", b"IHAVEOPT", 0b11)  # fixed newstyle, no zeroes
CLIENT_FLAGS: Final = struct.Struct(">I")
OPTION: Final = struct.Struct(">8sII")
_OPTION_REPLY: Final = struct.Struct(">QIII")
_REQUEST: Final = struct.Struct(">IHHQQI")
_SIMPLE: Final = struct.Struct(">IIQ")
_CHUNK: Final = struct.Struct(">IHHQI")

REQUEST_SIZE: Final = _REQUEST.size


class Malformed(Exception):
    """What came in cannot be what the protocol says; the message says what is wrong."""


class ClientFlag(enum.IntFlag):
    """What a client says of itself before its first option."""

    FIXED_NEWSTYLE = 1
    NO_ZEROES = 2


class Option(enum.IntEnum):
    """What a client asks before it uses an export."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    STARTTLS = 5
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8
    LIST_META_CONTEXT = 9
    SET_META_CONTEXT = 10


class OptionReply(enum.IntEnum):
    """The sort of an answer to an option."""

    ACK = 1
    SERVER = 2
    INFO = 3
    META_CONTEXT = 4
    UNSUPPORTED = 2**31 + 1
    INVALID = 2**31 + 3
    UNKNOWN = 2**31 + 6
    TOO_BIG = 2**31 + 9


class Info(enum.IntEnum):
    """What can be known of an export."""

    EXPORT = 0
    NAME = 1
    DESCRIPTION = 2
    BLOCK_SIZE = 3


class ExportFlag(enum.IntFlag):
    """What an export can do ("transmission flags")."""

    HAS_FLAGS = 1 << 0
    READ_ONLY = 1 << 1
    FLUSH = 1 << 2
    FUA = 1 << 3
    TRIM = 1 << 5
    WRITE_ZEROES = 1 << 6
    DF = 1 << 7
    MULTI_CONN = 1 << 8


class Command(enum.IntEnum):
    """What a client asks of an export."""

    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3
    TRIM = 4
    WRITE_ZEROES = 6
    BLOCK_STATUS = 7


class Flag(enum.IntFlag):
    """How a command is to be carried out."""

    FUA = 1 << 0
    NO_HOLE = 1 << 1
    DF = 1 << 2
    REQ_ONE = 1 << 3


class Error(enum.IntEnum):
    """Why a command failed; the numbers are Linux's errnos."""

    EPERM = 1
    EIO = 5
    ENOMEM = 12
    EINVAL = 22
    ENOSPC = 28
    ENOTSUP = 95
    ESHUTDOWN = 108


class Chunk(enum.IntEnum):
    """The sort of a chunk of a structured reply."""

    NONE = 0
    OFFSET_DATA = 1
    OFFSET_HOLE = 2
    BLOCK_STATUS = 5
    ERROR = 2**15 + 1


DONE: Final = 1
"""The flag of a structured reply's last chunk."""


@attrs.frozen
class NbdRequest:
    """A request as it came: *command* and *flags* need not be known ones; *offset* and *length* in bytes."""

    flags: int
    command: int
    cookie: int
    offset: int
    length: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the request in `REQUEST_SIZE` bytes; raises `Malformed` where it does not begin as one."""
        magic, *fields = _REQUEST.unpack(data)
        if magic != 0x25609513:
            raise Malformed(f"a request begins with {magic:#010x}")
        return cls(*fields)


def option_reply(option: int, reply: OptionReply, data: bytes = b"") -> bytes:
    """Return an answer to *option*."""
    return _OPTION_REPLY.pack(0x3E889045565A9, option, reply, len(data)) + data


def simple_reply(cookie: int, error: int = 0) -> bytes:
    """Return the header of a simple reply, which read data follows."""
    return _SIMPLE.pack(0x67446698, error, cookie)


def chunk(cookie: int, sort: Chunk, length: int, *, last: bool) -> bytes:
    """Return the header of a chunk of *length* bytes."""
    return _CHUNK.pack(0x668E33EF, DONE if last else 0, sort, cookie, length)


@attrs.define
class Fields:
    """The data of an option, taken from its beginning on; raises `Malformed` where it is too short."""

    data: bytes
    at: int = 0

    def number(self, size: int) -> int:
        """Take a number of *size* bytes."""
        return int.from_bytes(self.bytes(size), "big")

    def bytes(self, size: int) -> bytes:
        """Take *size* bytes."""
        end = self.at + size
        if end > len(self.data):
            raise Malformed(f"{len(self.data)} bytes of data, at least {end} are announced")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def text(self) -> str:
        """Take a text that its length, of four bytes, precedes."""
        return decoded(self.bytes(self.number(4)))

    def end(self) -> None:
        """Raise `Malformed` where anything is left."""
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at} bytes too many")


def decoded(name: bytes) -> str:
    """Return the text of *name*, which is UTF-8 and not too long."""
    if len(name) > MAX_NAME:
        raise Malformed(f"a name of {len(name)} bytes, {MAX_NAME} are allowed")
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"a name that is not UTF-8: {error}") from error


def counted(text: str) -> bytes:
    """Return *text* with its length in four bytes before it."""
    data = text.encode()
    return struct.pack(">I", len(data)) + data

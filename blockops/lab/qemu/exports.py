"""A disk of QEMU's as its guest has it: one NBD connection to one export, one request at a time."""

import socket
import struct
from pathlib import Path
from typing import Final, NoReturn

import attrs

from blockops.errors import HostError

_READ, _WRITE, _FLUSH, _ZEROES = 0, 1, 3, 6
_GO, _ACK = 7, 1
_GREETING: Final = b"NBDMAGICIHAVEOPT"
_REQUEST = struct.Struct(">IHHQQI")
_REPLY = struct.Struct(">IIQ")


class Gone(Exception):
    """QEMU has hung up: it is no more."""


@attrs.define(eq=False)
class Export:
    """The export *name*, used; *size* in bytes."""

    name: str
    size: int
    _socket: socket.socket

    @classmethod
    def use(cls, path: Path, name: str) -> "Export":
        """Connect to the server at *path* and use its export *name* (NBD, fixed newstyle, `GO`)."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        export = cls(name, 0, connection)
        assert export._take(18)[:16] == _GREETING
        wanted = name.encode()
        data = struct.pack(">I", len(wanted)) + wanted + b"\0\0"
        connection.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">II", _GO, len(data)) + data)
        export._agree()
        return export

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* bytes; raises HostError as QEMU says."""
        self._ask(_READ, offset, length)
        return self._take(length)

    def write(self, offset: int, data: bytes) -> None:
        """Write *data*."""
        self._ask(_WRITE, offset, len(data), data)

    def write_zeroes(self, offset: int, length: int) -> None:
        """Let *length* bytes read as zeroes; QEMU may take their room away."""
        self._ask(_ZEROES, offset, length)

    def flush(self) -> None:
        """Make durable what was written."""
        self._ask(_FLUSH, 0, 0)

    def _agree(self) -> None:
        while True:
            _, _, kind, length = struct.unpack(">QIII", self._take(20))
            data = self._take(length)
            if kind == _ACK:
                return
            assert kind == 3, f"QEMU refuses the export {self.name}: {data!r}"
            if data[:2] == b"\0\0":
                self.size = struct.unpack(">Q", data[2:10])[0]

    def _ask(self, command: int, offset: int, length: int, data: bytes = b"") -> None:
        try:
            self._socket.sendall(_REQUEST.pack(0x25609513, 0, command, 0, offset, length) + data)
        except OSError as error:
            raise Gone from error
        _, code, _ = _REPLY.unpack(self._take(_REPLY.size))
        if code:
            self._fail(command, offset, code)

    def _fail(self, command: int, offset: int, code: int) -> NoReturn:
        operation = {_READ: "read", _WRITE: "write", _FLUSH: "flush", _ZEROES: "write_zeroes"}[command]
        raise HostError(operation, self.name, code, offset)

    def _take(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            try:
                more = self._socket.recv(length - len(data))
            except OSError as error:
                raise Gone from error
            if not more:
                raise Gone
            data += more
        return data

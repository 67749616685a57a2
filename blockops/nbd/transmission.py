"""The use of an export: requests as they come, replies as they are ready, in whatever order."""

import asyncio
import contextlib
import struct
from asyncio import StreamReader, StreamWriter
from itertools import islice
from typing import assert_never

import attrs

from blockops.device import Operation, Request
from blockops.errors import BlockError, DeviceNotFound, HostError, InvalidRequest, UnsupportedFeature
from blockops.graph.status import Stretch, stretches
from blockops.nbd.negotiation import ALLOCATION_ID, Agreed
from blockops.nbd.protocol import (
    MAX_PAYLOAD,
    REQUEST_SIZE,
    Chunk,
    Command,
    Error,
    Flag,
    NbdRequest,
    chunk,
    simple_reply,
)
from blockops.nbd.traffic import Traffic

AT_ONCE = 16
"""How many requests of one connection are under way at once; a further one is not even read."""

MOST_EXTENTS = 1024
"""How many stretches one reply tells of; for the rest a client asks again."""

HOLE, ZERO = 1, 2
"""The two flags of a range in `base:allocation`."""

MAX_WHY = 4096
"""The longest text beside an error, in bytes (NBD, "Terminology")."""

_EXTENT = struct.Struct(">II")
_ZEROS_AT_ONCE = 1 << 20
_SKIPPED = 1 << 16
_ALLOWED = {
    Command.READ: Flag.DF,
    Command.WRITE: Flag.FUA,
    Command.FLUSH: Flag(0),
    Command.TRIM: Flag.FUA,
    Command.WRITE_ZEROES: Flag.FUA | Flag.NO_HOLE,
    Command.BLOCK_STATUS: Flag.REQ_ONE,
}


class Refused(Exception):
    """A request that gets an error for its answer: its number, and why."""

    def __init__(self, error: Error, why: str) -> None:
        super().__init__(why)
        self.error = error


@attrs.define(eq=False)
class Transmission:
    """One connection that uses one export."""

    reader: StreamReader
    writer: StreamWriter
    agreed: Agreed
    traffic: Traffic
    _free: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(AT_ONCE))
    _tasks: "set[asyncio.Task[None]]" = attrs.field(factory=set)
    _failed: BaseException | None = None

    async def serve(self) -> None:
        """Answer until the client goes; what it has asked for by then is done.  Raises `Malformed`."""
        try:
            while True:
                request = NbdRequest.parse(await self.reader.readexactly(REQUEST_SIZE))
                if request.command == Command.DISCONNECT:
                    return
                await self._free.acquire()
                await self._begin(request)
        finally:
            await asyncio.gather(*self._tasks)
            if self._failed is not None:
                raise self._failed

    async def _begin(self, request: NbdRequest) -> None:
        data = b""
        if request.command == Command.WRITE:
            if request.length > MAX_PAYLOAD:
                await self._skip(request.length)
            else:
                data = await self.reader.readexactly(request.length)
        task = asyncio.create_task(self._answer(request, data))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def _skip(self, length: int) -> None:
        while length:
            length -= len(await self.reader.readexactly(min(length, _SKIPPED)))

    def _end(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._free.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Ours: no answer can be trusted any more.
            self._failed = error
            self.writer.transport.abort()

    async def _answer(self, request: NbdRequest, data: bytes) -> None:
        try:
            self._check(request)
            answer = await self._carried_out(request, data)
        except Refused as refused:
            answer = self._refusal(request, refused)
        with contextlib.suppress(ConnectionError):
            self.writer.write(answer)
            await self.writer.drain()

    def _check(self, request: NbdRequest) -> None:
        """Raise `Refused` for what the protocol does not allow."""
        if request.command not in _ALLOWED:
            raise Refused(Error.EINVAL, f"no such command: {request.command}")
        command = Command(request.command)
        if request.flags & ~int(_ALLOWED[command]):
            raise Refused(Error.EINVAL, f"flags {request.flags:#x} do not go with {command.name}")
        if command in (Command.READ, Command.WRITE) and request.length > MAX_PAYLOAD:
            raise Refused(Error.EINVAL, f"{request.length} bytes, {MAX_PAYLOAD} are the most")
        if command is Command.BLOCK_STATUS and not (self.agreed.status and request.length):
            raise Refused(Error.EINVAL, "no metadata context was agreed upon, or nothing asked of it")
        if command is not Command.FLUSH and request.offset + request.length > self.agreed.export.size:
            writes = command in (Command.WRITE, Command.WRITE_ZEROES)
            raise Refused(Error.ENOSPC if writes else Error.EINVAL, "beyond the end of the export")

    async def _carried_out(self, request: NbdRequest, data: bytes) -> bytes:
        command, fua = Command(request.command), bool(request.flags & Flag.FUA)
        match command:
            case Command.READ:
                done = await self._do(Request(Operation.READ, request.offset, request.length))
                return self._data(request, done.data)
            case Command.WRITE:
                await self._do(Request(Operation.WRITE, request.offset, len(data), data, fua))
            case Command.FLUSH:
                await self._do(Request(Operation.FLUSH))
            case Command.TRIM:
                await self._do(Request(Operation.DISCARD, request.offset, request.length))
                if fua:
                    await self._do(Request(Operation.FLUSH))
            case Command.WRITE_ZEROES if request.flags & Flag.NO_HOLE:
                await self._write_zeros(request, fua=fua)
            case Command.WRITE_ZEROES:
                await self._do(Request(Operation.WRITE_ZEROES, request.offset, request.length, fua=fua))
            case Command.BLOCK_STATUS:
                return await self._status(request)
            case Command.DISCONNECT:
                raise AssertionError("not an answer")
            case _:
                assert_never(command)
        return simple_reply(request.cookie)

    async def _do(self, request: Request) -> Request:
        """Carry *request* out; raises `Refused` where it fails."""
        await self.traffic.carry_out(self.agreed.export.device, request)
        if request.error is not None:
            raise Refused(error_of(request.error), str(request.error))
        return request

    async def _write_zeros(self, request: NbdRequest, *, fua: bool) -> None:
        """Write zeros that have a place, a piece at a time."""
        end = request.offset + request.length
        for offset in range(request.offset, end, _ZEROS_AT_ONCE):
            length = min(_ZEROS_AT_ONCE, end - offset)
            await self._do(Request(Operation.WRITE, offset, length, bytes(length)))
        if fua:
            await self._do(Request(Operation.FLUSH))

    async def _status(self, request: NbdRequest) -> bytes:
        """Return what is known of a range, from its beginning on, as far as one reply goes."""
        # Nothing is read: it takes its turn among the others, and is bound to what the device shows then.
        turn = await self._do(Request(Operation.READ, request.offset, 0))
        assert turn.node is not None
        most = 1 if request.flags & Flag.REQ_ONE else MOST_EXTENTS
        try:
            found = list(islice(stretches(turn.node, request.offset, request.length), most))
        except BlockError as error:
            raise Refused(error_of(error), str(error)) from error
        told = b"".join(_EXTENT.pack(one.length, _state(one)) for one in found)
        header = chunk(request.cookie, Chunk.BLOCK_STATUS, 4 + len(told), last=True)
        return header + ALLOCATION_ID.to_bytes(4, "big") + told

    # ---------------------------------------------------------------------------------------- replies

    def _data(self, request: NbdRequest, data: bytes) -> bytes:
        if not self.agreed.structured:
            return simple_reply(request.cookie) + data
        if not data:
            return chunk(request.cookie, Chunk.NONE, 0, last=True)
        header = chunk(request.cookie, Chunk.OFFSET_DATA, 8 + len(data), last=True)
        return b"".join((header, struct.pack(">Q", request.offset), data))

    def _refusal(self, request: NbdRequest, refused: Refused) -> bytes:
        if not self.agreed.structured:
            return simple_reply(request.cookie, refused.error)
        why = str(refused).encode()[:MAX_WHY]
        told = struct.pack(">IH", refused.error, len(why)) + why
        return chunk(request.cookie, Chunk.ERROR, len(told), last=True) + told


def _state(one: Stretch) -> int:
    return (0 if one.allocated else HOLE) | (ZERO if one.zero else 0)


_KNOWN = {number.value: number for number in Error}


def error_of(error: BlockError) -> Error:
    """Return the number for what went wrong with a device."""
    match error.root:
        case HostError(code=code):
            return _KNOWN.get(code, Error.EIO)
        case InvalidRequest():
            return Error.EPERM
        case UnsupportedFeature():
            return Error.ENOTSUP
        case DeviceNotFound():
            return Error.ESHUTDOWN
        case _:
            return Error.EIO

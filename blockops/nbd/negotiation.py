"""From the first byte to the use of an export: options, one after the other.

(NBD, "Fixed newstyle negotiation".)
"""

import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence

import attrs

from blockops.nbd.exports import ALLOCATION, Export, Exports
from blockops.nbd.protocol import (
    CLIENT_FLAGS,
    GREETING,
    MAX_OPTION,
    OPTION,
    ClientFlag,
    Fields,
    Info,
    Malformed,
    Option,
    OptionReply,
    counted,
    decoded,
    option_reply,
)

_SKIPPED = 1 << 16
ALLOCATION_ID = 1


@attrs.define
class Agreed:
    """What a client and the server have agreed upon: *structured* replies, and *status* of blocks."""

    export: Export
    structured: bool
    status: bool


@attrs.define
class Negotiation:
    """One client's negotiation."""

    reader: StreamReader
    writer: StreamWriter
    exports: Exports
    _zeroes: bool = True
    _structured: bool = False
    # The export whose block status was agreed upon, by name.
    _status_of: str | None = None

    async def agree(self) -> Agreed | None:
        """Answer until the client uses an export, or None where it goes; raises `Malformed`, and
        `IncompleteReadError` where it goes without a word.
        """
        self.writer.write(GREETING)
        (flags,) = CLIENT_FLAGS.unpack(await self.reader.readexactly(CLIENT_FLAGS.size))
        if flags not in (ClientFlag.FIXED_NEWSTYLE, ClientFlag.FIXED_NEWSTYLE | ClientFlag.NO_ZEROES):
            raise Malformed(f"client flags {flags:#x}: fixed newstyle, and no zeroes, are all that is known")
        self._zeroes = not flags & ClientFlag.NO_ZEROES
        while True:
            magic, option, length = OPTION.unpack(await self.reader.readexactly(OPTION.size))
            if magic != b"IHAVEOPT":
                raise Malformed(f"an option begins with {magic!r}")
            if option == Option.ABORT:
                self._reply(option, OptionReply.ACK)
                return None
            agreed = await self._option(option, length)
            await self.writer.drain()
            if agreed is not None:
                return agreed

    async def _option(self, option: int, length: int) -> Agreed | None:
        """Answer one option; return what is agreed upon where the export is used from now on."""
        if length > MAX_OPTION:
            await self._skip(option, length)
            return None
        data = await self.reader.readexactly(length)
        if option == Option.EXPORT_NAME:
            return self._old_way(data)
        try:
            export = self._answer(option, data)
        except Malformed as error:
            self._reply(option, OptionReply.INVALID, str(error).encode())
            return None
        return None if export is None else self._agreed(export)

    def _agreed(self, export: Export) -> Agreed:
        return Agreed(export, self._structured, self._status_of == export.name)

    async def _skip(self, option: int, length: int) -> None:
        if option == Option.EXPORT_NAME:
            raise Malformed(f"the name of an export of {length} bytes")
        left = length
        while left:
            left -= len(await self.reader.readexactly(min(left, _SKIPPED)))
        self._reply(option, OptionReply.TOO_BIG, f"an option of {length} bytes".encode())

    def _old_way(self, data: bytes) -> Agreed:
        """Use an export by the option that cannot be refused but by going away."""
        export = self.exports.find(decoded(data))
        if export is None:
            raise Malformed(f"no export '{decoded(data)}'")
        self.writer.write(export.told() + (bytes(124) if self._zeroes else b""))
        return self._agreed(export)

    def _answer(self, option: int, data: bytes) -> Export | None:
        match option:
            case Option.LIST:
                self._list(data)
            case Option.STRUCTURED_REPLY:
                Fields(data).end()
                self._structured = True
                self._reply(option, OptionReply.ACK)
            case Option.LIST_META_CONTEXT | Option.SET_META_CONTEXT:
                self._contexts(option, Fields(data))
            case Option.INFO | Option.GO:
                found = self._info(option, Fields(data))
                return found if option == Option.GO else None
            case _:
                self._reply(option, OptionReply.UNSUPPORTED, b"no such option here")
        return None

    def _list(self, data: bytes) -> None:
        Fields(data).end()
        for name in self.exports.names():
            self._reply(Option.LIST, OptionReply.SERVER, counted(name))
        self._reply(Option.LIST, OptionReply.ACK)

    def _info(self, option: int, fields: Fields) -> Export | None:
        """Tell of an export what is asked for, and its size in any case."""
        name = fields.text()
        asked = [fields.number(2) for _ in range(fields.number(2))]
        fields.end()
        export = self._export(option, name)
        if export is None:
            return None
        known = [Info(number) for number in dict.fromkeys([*asked, Info.EXPORT]) if number in set(Info)]
        for wanted in known:
            self._reply(option, OptionReply.INFO, export.info(wanted))
        self._reply(option, OptionReply.ACK)
        return export

    def _export(self, option: int, name: str) -> Export | None:
        export = self.exports.find(name)
        if export is None:
            self._reply(option, OptionReply.UNKNOWN, f"no export '{name}'".encode())
        return export

    def _contexts(self, option: int, fields: Fields) -> None:
        """List metadata contexts, or select them for an export; the last selection counts."""
        if option == Option.SET_META_CONTEXT and not self._structured:
            raise Malformed("structured replies come first")
        name = fields.text()
        queries = [fields.text() for _ in range(fields.number(4))]
        fields.end()
        listing = option == Option.LIST_META_CONTEXT
        if not listing:
            self._status_of = None
        export = self._export(option, name)
        if export is None:
            return
        if _asks_for_allocation(queries, listing=listing):
            identity = 0 if listing else ALLOCATION_ID
            known = struct.pack(">I", identity) + ALLOCATION.encode()
            self._reply(option, OptionReply.META_CONTEXT, known)
            if not listing:
                self._status_of = export.name
        self._reply(option, OptionReply.ACK)

    def _reply(self, option: int, reply: OptionReply, data: bytes = b"") -> None:
        self.writer.write(option_reply(option, reply, data))


def _asks_for_allocation(queries: Sequence[str], *, listing: bool) -> bool:
    """Whether one of *queries* means that context; to list, none means all and a namespace all of its own."""
    if listing and (not queries or "base:" in queries):
        return True
    return ALLOCATION in queries

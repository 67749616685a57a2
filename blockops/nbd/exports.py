"""What is exported: devices by name, and what a client is told of each."""

import struct
from collections.abc import Mapping
from typing import assert_never

import attrs

from blockops.device import Device
from blockops.nbd.protocol import MAX_PAYLOAD, ExportFlag, Info

ALLOCATION = "base:allocation"
"""The one metadata context: which ranges are holes, and which read as zeros."""

_PREFERRED = 65536
_CAN = (
    ExportFlag.HAS_FLAGS
    | ExportFlag.FLUSH
    | ExportFlag.FUA
    | ExportFlag.TRIM
    | ExportFlag.WRITE_ZEROES
    | ExportFlag.DF
    | ExportFlag.MULTI_CONN  # one cache for all connections: a flush covers what any of them wrote
)


@attrs.frozen
class Export:
    """A device under a name; *size* in bytes, as it was when the client asked."""

    name: str
    device: Device
    size: int

    @property
    def flags(self) -> ExportFlag:
        """What it can do."""
        writable = not self.device.read_only and self.device.medium.writable
        return _CAN if writable else _CAN | ExportFlag.READ_ONLY

    def told(self) -> bytes:
        """Return size and flags."""
        return struct.pack(">QH", self.size, self.flags)

    def info(self, wanted: Info) -> bytes:
        """Return the answer to a question for *wanted*, which it begins with."""
        match wanted:
            case Info.EXPORT:
                known = self.told()
            case Info.NAME:
                known = self.name.encode()
            case Info.DESCRIPTION:
                known = f"device {self.device.name}, {self.device.medium.source.path}".encode()
            case Info.BLOCK_SIZE:
                known = struct.pack(">III", 1, _PREFERRED, MAX_PAYLOAD)
            case _:
                assert_never(wanted)
        return struct.pack(">H", wanted) + known


@attrs.frozen
class Exports:
    """All devices of a machine that have a medium; the empty name is the only one's, if there is just one."""

    devices: Mapping[str, Device]

    def names(self) -> list[str]:
        """Return the names that can be asked for, in the machine's order."""
        return [name for name, device in self.devices.items() if device.top is not None]

    def find(self, name: str) -> Export | None:
        """Return what is exported as *name*; None where nothing is."""
        names = self.names()
        if not name and len(names) == 1:
            (name,) = names
        if name not in names:
            return None
        device = self.devices[name]
        return Export(name, device, device.medium.size)

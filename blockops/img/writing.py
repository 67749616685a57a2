"""What a copy is written to: a raw file or a qcow2 image, new and empty, or there before.

A new one reads as zeros where nothing is written, so zeros cost it nothing; one that was there is told of
them.
"""

from typing import Final, Protocol

import attrs

from blockops.host.api import write_fully
from blockops.host.posix import PosixFile
from blockops.qcow2.image import Qcow2Image
from blockops.units import MIB, round_down, round_up

_ZEROS: Final = bytes(2 * MIB)


class Target(Protocol):
    """Where a copy goes.  Offsets and lengths are bytes of the disk; errors as writing an image."""

    @property
    def grain(self) -> int:
        """What it writes as a whole."""

    def write(self, offset: int, data: memoryview) -> None:
        """Write what is not zero."""

    def zero(self, offset: int, length: int) -> None:
        """Let a part read as zeros."""


@attrs.frozen
class RawTarget:
    """A raw file; *empty*: it reads as zeros by itself."""

    file: PosixFile
    empty: bool
    grain: int = 512

    def write(self, offset: int, data: memoryview) -> None:
        write_fully(self.file, offset, data)

    def zero(self, offset: int, length: int) -> None:
        at, end = offset, min(offset + length, self.file.size())
        while at < end and not self.empty:
            data, stop = self.file.stretch(at)
            if data:
                write_zeros(self, at, min(stop, end) - at)
            at = stop


@attrs.frozen
class Qcow2Target:
    """A qcow2 image; *empty*: it reads as zeros by itself; *compress*: clusters are written compressed."""

    image: Qcow2Image
    empty: bool
    compress: bool = False

    @property
    def grain(self) -> int:
        return self.image.header.geometry.cluster_size

    def write(self, offset: int, data: memoryview) -> None:
        first, last = self._whole(offset, len(data)) if self.compress else (0, 0)
        if first < last:
            self.image.write(offset, data[:first])
            self.image.write_compressed(offset + first, bytes(data[first:last]))
            self.image.write(offset + last, data[last:])
        else:
            self.image.write(offset, data)

    def _whole(self, offset: int, length: int) -> tuple[int, int]:
        """Return where whole clusters begin and end in *length* bytes at *offset*; so does the disk."""
        end = offset + length
        first = round_up(offset, self.grain)
        last = end if end == self.image.size else round_down(end, self.grain)
        return first - offset, last - offset

    def zero(self, offset: int, length: int) -> None:
        if not self.empty:
            self.image.write_zeroes(offset, length)


def write_zeros(target: Target, offset: int, length: int) -> None:
    """Write zeros as if they were data, in pieces."""
    view = memoryview(_ZEROS)
    for start in range(0, length, len(_ZEROS)):
        target.write(offset + start, view[: length - start])

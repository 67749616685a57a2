"""Preallocation: every cluster of a new image gets its place, and on request that place gets its blocks.

The modes are QEMU's: `metadata` leaves a hole of the file where data will be, `falloc` has the host set
blocks aside, `full` writes zeros there.
"""

from typing import Final, Protocol, runtime_checkable

from blockops.errors import InvalidRequest
from blockops.host.api import HostFile, write_fully
from blockops.qcow2.image import Qcow2Image
from blockops.units import MIB

MODES: Final = ("off", "metadata", "falloc", "full")
_ZEROS: Final = bytes(2 * MIB)


@runtime_checkable
class Reserving(Protocol):
    """A file whose host can set blocks aside."""

    def reserve(self, size: int) -> None:
        """Set the first *size* bytes aside."""


def preallocate(file: HostFile, mode: str, *, data_file: HostFile | None = None) -> None:
    """Preallocate the new image in *file*, whose external data file is *data_file*; durable afterwards.

    Where the host cannot set blocks aside, zeros do.  Raises `InvalidRequest` for a mode that does not exist
    or an image whose backing would be hidden, and `HostError`.
    """
    if mode not in MODES:
        raise InvalidRequest(file.path, f"there is no preallocation '{mode}'")
    if mode == "off":
        return
    image = Qcow2Image.open(file, writable=True, data_file=lambda _: data_file or file)
    if image.header.backing_file is not None and not image.header.geometry.extended_l2:
        raise InvalidRequest(file.path, "preallocation would hide the backing file")
    runs = _reserve(image)
    data = data_file or file
    end = max((host + length for host, length in runs), default=0)
    if data_file is not None:
        end = min(end, image.size)
    if data.size() < end:
        data.truncate(end)
    if mode == "falloc" and isinstance(data, Reserving) and end:
        data.reserve(end)
    elif mode != "metadata":
        for host, length in runs:
            _write_zeros(data, host, min(host + length, end) - host)
    image.flush()


def _reserve(image: Qcow2Image) -> list[tuple[int, int]]:
    """Give every cluster a place; return the runs of them."""
    runs: list[tuple[int, int]] = []
    offset = 0
    while offset < image.size:
        host, length = image.reserve(offset, image.size - offset)
        offset += length
        before = runs.pop() if runs and sum(runs[-1]) == host else (host, 0)
        runs.append((before[0], before[1] + length))
    return runs


def _write_zeros(file: HostFile, start: int, length: int) -> None:
    for offset in range(start, start + length, len(_ZEROS)):
        write_fully(file, offset, memoryview(_ZEROS)[: start + length - offset])

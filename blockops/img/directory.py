"""What a qcow2 image lists by name, as qemu-img tells it: internal snapshots and persistent bitmaps."""

from typing import Any, Final

import attrs

from blockops.host.api import HostFile
from blockops.qcow2 import bitmap_directory, snapshot_table
from blockops.qcow2.header import Header

NANOSECONDS: Final = 1_000_000_000
_NO_ICOUNT: Final = (1 << 64) - 1


@attrs.frozen
class Snapshot:
    """An internal snapshot; *vm_clock* in nanoseconds, *icount* where the machine counted instructions."""

    id: str
    name: str
    vm_state_size: int
    date: int
    date_nanoseconds: int
    vm_clock: int
    icount: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints."""
        counted = {} if self.icount is None else {"icount": self.icount}
        return {
            "id": self.id,
            "name": self.name,
            "vm-state-size": self.vm_state_size,
            "date-sec": self.date,
            "date-nsec": self.date_nanoseconds,
            "vm-clock-sec": self.vm_clock // NANOSECONDS,
            "vm-clock-nsec": self.vm_clock % NANOSECONDS,
            **counted,
        }


@attrs.frozen
class Bitmap:
    """A persistent dirty bitmap; a bit stands for *granularity* bytes."""

    name: str
    granularity: int
    flags: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints."""
        return {"flags": list(self.flags), "name": self.name, "granularity": self.granularity}


def snapshots(file: HostFile, header: Header) -> tuple[Snapshot, ...]:
    """Return the internal snapshots of an image, in the order of its table; raises `ImageError`."""
    return tuple(map(_snapshot, snapshot_table.read_snapshots(file, header).snapshots))


def _snapshot(found: snapshot_table.Snapshot) -> Snapshot:
    counted = int.from_bytes(found.further[:8], "big") if len(found.further) >= 8 else _NO_ICOUNT
    return Snapshot(
        id=found.id,
        name=found.name,
        vm_state_size=found.vm_state_size,
        date=found.date_sec,
        date_nanoseconds=found.date_nsec,
        vm_clock=found.vm_clock_nsec,
        icount=None if counted == _NO_ICOUNT else counted,
    )


def bitmaps(file: HostFile, header: Header) -> tuple[Bitmap, ...]:
    """Return the persistent bitmaps of an image that still count; raises `ImageError`."""
    directory = bitmap_directory.read_bitmaps(file, header)
    return () if directory is None else tuple(map(_bitmap, directory.bitmaps))


def _bitmap(found: bitmap_directory.Bitmap) -> Bitmap:
    flags = (("in-use", found.in_use), ("auto", found.auto))
    return Bitmap(found.name, found.granularity, tuple(name for name, is_set in flags if is_set))

"""Internal snapshots: a table of entries of no fixed length, each with an L1 table of its own.

Specification: "Snapshots".  Only what bears on the refcounts is read; names and times are skipped.
"""

import struct
from typing import Final

from blockops.qcow2.check.guest import GuestTables
from blockops.qcow2.check.ledger import Ledger
from blockops.qcow2.check.report import Findings
from blockops.qcow2.check.tables import Reader
from blockops.qcow2.geometry import ENTRY_SIZE, MAX_L1_BYTES, Geometry
from blockops.qcow2.header import Header
from blockops.units import round_up

# L1 offset and entries, lengths of id and name, (times and sizes), length of the extra data.
_ENTRY: Final = struct.Struct(">QIHH20xI")
# Version 3 demands the 64-bit VM state size and the disk size; QEMU takes no more than 1024 bytes.
_LEAST_EXTRA: Final = 16
_MOST_EXTRA: Final = 1024


def count_snapshots(
    header: Header, reader: Reader, ledger: Ledger, guest: GuestTables, findings: Findings
) -> None:
    """Count the snapshot table and each snapshot's L1 table, whose L2 tables *guest* gets."""
    if not header.snapshots:
        return
    shape, end = header.geometry, header.snapshots_offset
    for number in range(header.snapshots):
        start = round_up(end, ENTRY_SIZE)
        data = reader.read(start, _ENTRY.size)
        if len(data) < _ENTRY.size:
            findings.add("snapshot table", start, None, f"entry {number} is beyond the end of the file")
            break
        l1_offset, l1_entries, id_length, name_length, extra = _ENTRY.unpack(data)
        end = start + _ENTRY.size + extra + id_length + name_length
        if problem := _flaw(shape, l1_offset, l1_entries, extra):
            findings.add(f"snapshot table entry {number}", start, None, problem)
        if not l1_offset & shape.cluster_mask and l1_entries * ENTRY_SIZE <= MAX_L1_BYTES:
            guest.add_l1(f"L1 table of snapshot {number}", l1_offset, l1_entries, active=False)
    if not ledger.own("snapshot table", header.snapshots_offset, end - header.snapshots_offset):
        findings.add("snapshot table", header.snapshots_offset, None, "it is beyond the end of the file")


def _flaw(shape: Geometry, l1_offset: int, l1_entries: int, extra: int) -> str | None:
    if l1_offset & shape.cluster_mask:
        return f"the L1 table at {l1_offset:#x} is not aligned to a cluster"
    if l1_entries * ENTRY_SIZE > MAX_L1_BYTES:
        return f"an L1 table of {l1_entries} entries is too large"
    if extra > _MOST_EXTRA:
        return f"{extra} bytes of extra data are too many"
    if shape.version >= 3 and extra < _LEAST_EXTRA:
        return f"{extra} bytes of extra data are too few for version 3"
    return None

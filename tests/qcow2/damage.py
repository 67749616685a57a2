"""One damage for each field that a check looks at, with what it must say, on images of `drawn`.

*verdict* is ours; *qemu* is what `qemu-img check` says where that is something else, and *why* explains it.
"""

from collections.abc import Callable

import attrs

from blockops.qcow2.check import Verdict
from tests.qcow2.drawn import (
    BITMAP,
    BITMAP_TABLE,
    BLOCK,
    COMPRESSED,
    COPIED,
    DATA,
    DIRECTORY,
    L1,
    L2,
    SNAPSHOT_DATA,
    SNAPSHOT_L1,
    SNAPSHOT_L2,
    SNAPSHOTS,
    SPARE,
    TABLE,
    Patch,
    Shape,
    draw,
    draw_with_bitmap,
    draw_with_snapshot,
)

CLEAN, LEAKS, CORRUPT, UNCHECKABLE = Verdict.CLEAN, Verdict.LEAKS, Verdict.CORRUPT, Verdict.UNCHECKABLE

V2, V3, V3_4K = Shape(version=2), Shape(), Shape(cluster_bits=12)
FAR = 1 << 40


@attrs.frozen
class Damage:
    """What is done to a drawn image, and what its check must say, in how many findings if that matters."""

    name: str
    patches: tuple[Patch, ...]
    verdict: Verdict
    says: str = ""
    findings: int | None = None
    shape: Shape = V3
    drawn: Callable[[Shape], bytearray] = draw
    qemu: Verdict | None = None
    why: str = ""

    @property
    def content(self) -> bytes:
        """The damaged image."""
        image = self.drawn(self.shape)
        for patch in self.patches:
            patch.apply(image)
        return bytes(image)


def _l1(entry: int, value: int) -> Patch:
    return Patch(V3.at(L1, entry), value)


def _l2(entry: int, value: int) -> Patch:
    return Patch(V3.at(L2, entry), value)


def _refcount(cluster: int, count: int) -> Patch:
    return Patch(V3.at(BLOCK) + 2 * cluster, count, 2)


def _table(entry: int, value: int) -> Patch:
    return Patch(V3.at(TABLE, entry), value)


def _field(offset: int, value: int, size: int) -> Patch:
    return Patch(offset, value, size)


def _at(cluster: int) -> int:
    return V3.at(cluster)


def _compressed(offset: int, sectors: int) -> int:
    """The descriptor for clusters of 512 bytes: one bit counts sectors, 61 are the offset."""
    return COMPRESSED | (sectors - 1) << 61 | offset


REFCOUNTS = (
    Damage(
        "refcount-block-unaligned-to-4k",
        (Patch(V3_4K.at(TABLE, 1), V3_4K.at(SPARE) + 512),),
        CORRUPT,
        "not aligned to a cluster",
        shape=V3_4K,
    ),
    Damage(
        "refcount-block-is-the-l1-table",
        (_table(1, _at(L1)), _refcount(L1, 2)),
        CORRUPT,
        "something else uses the refcount block",
        1,
    ),
    Damage(
        "no-refcounts-and-used-twice",
        (_table(0, 0), _l2(9, _at(DATA))),
        CORRUPT,
        "its refcount is 0 but 2 refer to it",
    ),
    Damage("refcount-too-high", (_refcount(SPARE, 1),), LEAKS, "its refcount is 1 but 0 refer to it"),
    Damage("refcount-too-low", (_refcount(DATA, 0),), CORRUPT, "its refcount is 0 but 1 refer to it"),
    Damage("refcount-of-the-header", (_refcount(0, 0),), CORRUPT, "cluster at 0x0"),
    Damage("refcount-of-two-for-one", (_refcount(DATA, 2),), CORRUPT, "copied flag is set but the refcount"),
    Damage("refcount-table-reserved", (_table(0, _at(BLOCK) | 1),), CORRUPT, "reserved bits are set"),
    Damage("refcount-block-unaligned", (_table(1, _at(SPARE) + 8 * 32),), CORRUPT, "reserved bits are set"),
    Damage("refcount-block-far-away", (_table(1, FAR),), CORRUPT, "beyond the end of the file"),
    Damage("refcount-block-lost", (_table(0, 0),), CORRUPT, "its refcount is 0"),
    Damage(
        "refcount-block-is-data", (_table(1, _at(DATA)),), CORRUPT, "something else uses the refcount block"
    ),
    Damage("refcount-block-used-twice", (_table(1, _at(BLOCK)),), CORRUPT, "something else uses"),
)

SHARED = (_l1(0, _at(L2)), _l1(1, _at(L2)), _refcount(L2, 2))
DATA_SHARED = tuple(_l2(n, _at(DATA + n)) for n in range(3)) + tuple(_refcount(DATA + n, 2) for n in range(3))

L1_ENTRIES = (
    Damage(
        "l1-unaligned-to-4k",
        (Patch(V3_4K.at(L1, 1), COPIED | V3_4K.at(SPARE) + 512),),
        CORRUPT,
        "not aligned to a cluster",
        shape=V3_4K,
    ),
    Damage("l1-copied-clear", (_l1(0, _at(L2)),), CORRUPT, "copied flag is clear but the refcount is 1"),
    Damage("l1-reserved", (_l1(0, COPIED | _at(L2) | 1 << 60),), CORRUPT, "reserved bits are set"),
    Damage("l1-low-reserved", (_l1(0, COPIED | _at(L2) | 1),), CORRUPT, "reserved bits are set"),
    Damage("l1-far-away", (_l1(1, COPIED | FAR),), CORRUPT, "beyond the end of the file", 1),
    Damage("l1-flags-only", (_l1(1, COPIED),), CORRUPT, "leads nowhere"),
    Damage("l1-lost", (_l1(0, 0),), LEAKS, "its refcount is 1 but 0 refer to it"),
    Damage(
        "l2-table-used-twice", (_l1(1, COPIED | _at(L2)),), CORRUPT, "its refcount is 1 but 2 refer to it"
    ),
    Damage("l2-table-is-the-refcount-table", (_l1(1, COPIED | _at(TABLE)),), CORRUPT, "but 2 refer to it"),
    Damage("l2-table-shared-in-order", (*SHARED, *DATA_SHARED), CLEAN),
    Damage("l2-table-shared-but-not-its-data", SHARED, CORRUPT, "its refcount is 1 but 2 refer to it", 3),
    Damage(
        "l2-table-shared-but-not-its-compressed-data",
        (*SHARED, *DATA_SHARED, _l2(0, _compressed(_at(DATA), 1)), _refcount(DATA, 1)),
        CORRUPT,
        "its refcount is 1 but 2 refer to it",
        1,
    ),
)

L2_ENTRIES = (
    Damage(
        "l2-unaligned-to-4k",
        (Patch(V3_4K.at(L2), COPIED | V3_4K.at(DATA) + 512),),
        CORRUPT,
        "not aligned to a cluster",
        shape=V3_4K,
    ),
    Damage("l2-copied-clear", (_l2(0, _at(DATA)),), CORRUPT, "copied flag is clear but the refcount is 1"),
    Damage("l2-reserved", (_l2(0, COPIED | _at(DATA) | 1 << 56),), CORRUPT, "reserved bits are set"),
    Damage("l2-low-reserved", (_l2(0, COPIED | _at(DATA) | 2),), CORRUPT, "reserved bits are set"),
    Damage("l2-far-away", (_l2(9, COPIED | FAR),), CORRUPT, "beyond the end of the file", 1),
    Damage("l2-last-entry", (_l2(63, COPIED | FAR),), CORRUPT, "L2 entry 63"),
    Damage(
        "l2-just-behind-the-end", (_l2(9, COPIED | _at(SPARE + 1)),), CORRUPT, "beyond the end of the file"
    ),
    Damage("l2-lost", (_l2(1, 0),), LEAKS, "its refcount is 1 but 0 refer to it"),
    Damage(
        "cluster-used-twice", (_l2(9, COPIED | _at(DATA)),), CORRUPT, "its refcount is 1 but 2 refer to it"
    ),
    Damage("cluster-without-refcount", (_l2(9, COPIED | _at(SPARE)),), CORRUPT, "the refcount is 0"),
    Damage(
        "cluster-shared-in-order",
        (_l2(0, _at(DATA)), _l2(9, _at(DATA)), _refcount(DATA, 2)),
        CLEAN,
    ),
    Damage("copied-flag-alone", (_l2(9, COPIED),), CLEAN),
    Damage("zero-flag", (_l2(9, 1),), CLEAN),
    Damage("zero-flag-with-a-cluster", (_l2(0, COPIED | _at(DATA) | 1),), CLEAN),
    Damage(
        "zero-flag-in-version-2",
        (_l2(0, COPIED | _at(DATA) | 1),),
        CORRUPT,
        "which version 2 does not have",
        shape=V2,
        qemu=CLEAN,
        why="QEMU's check knows no versions; reading the cluster marks the image corrupt",
    ),
    Damage("compressed", (_l2(0, _compressed(_at(DATA) + 7, 1)),), CLEAN),
    Damage("compressed-over-two", (_l2(1, 0), _l2(0, _compressed(_at(DATA) + 7, 2))), CLEAN),
    Damage("compressed-copied", (_l2(0, COPIED | _compressed(_at(DATA), 1)),), CORRUPT, "copied flag", 1),
    Damage("compressed-far-away", (_l2(9, _compressed(FAR, 1)),), CORRUPT, "beyond the end of the file"),
    Damage("compressed-farther", (_l2(9, _compressed(1 << 60, 1)),), CORRUPT, "exceeds 56 bits"),
)

OVERLAPS = tuple(
    Damage(
        f"data-in-the-{name}-with-refcount-2",
        (_l2(9, _at(cluster)), _refcount(cluster, 2), *copied),
        CORRUPT,
        "something else uses its cluster too",
        qemu=CLEAN,
        why="QEMU compares counts only; the next write to the cluster overwrites metadata",
    )
    for name, cluster, copied in (
        ("refcount-table", TABLE, ()),
        ("header", 0, (_l2(9, _compressed(8, 1)),)),
        ("l1-table", L1, ()),
        ("l2-table", L2, (_l1(0, _at(L2)),)),
    )
)

READS_ZEROS = "QEMU reads zeros beyond the end of the file"

HEADER_FIELDS = (
    Damage("magic", (_field(0, 0, 4),), UNCHECKABLE, "not a qcow2 image"),
    Damage("version-1", (_field(4, 1, 4),), UNCHECKABLE, "qcow2 version 1"),
    Damage("version-4", (_field(4, 4, 4),), UNCHECKABLE, "qcow2 version 4"),
    Damage("cluster-bits-8", (_field(20, 8, 4),), UNCHECKABLE, "cluster_bits cannot be 8"),
    Damage("cluster-bits-22", (_field(20, 22, 4),), UNCHECKABLE, "cluster_bits cannot be 22"),
    Damage("size-too-large-for-l1", (_field(24, FAR, 8),), UNCHECKABLE, "L1 table"),
    Damage("encrypted", (_field(32, 2, 4),), UNCHECKABLE, "encryption"),
    Damage("l1-size", (_field(36, 3, 4),), UNCHECKABLE, "size of the L1 table cannot be 3"),
    Damage("l1-offset-unaligned", (_field(40, _at(L1) + 8, 8),), UNCHECKABLE, "offset of the L1 table"),
    Damage(
        "l1-offset-far-away", (_field(40, FAR, 8),), UNCHECKABLE, "L1 table", qemu=CORRUPT, why=READS_ZEROS
    ),
    Damage("refcount-table-unaligned", (_field(48, _at(TABLE) + 8, 8),), UNCHECKABLE, "refcount table"),
    Damage(
        "refcount-table-far-away",
        (_field(48, FAR, 8),),
        UNCHECKABLE,
        "refcount table",
        qemu=CORRUPT,
        why=READS_ZEROS,
    ),
    Damage("refcount-table-huge", (_field(56, 1 << 31, 4),), UNCHECKABLE, "clusters of the refcount table"),
    Damage("incompatible-unknown", (_field(72, 1 << 63, 8),), UNCHECKABLE, "incompatible feature 63"),
    Damage(
        "external-data-file",
        (_field(72, 1 << 2, 8),),
        CORRUPT,
        "external data file",
        qemu=UNCHECKABLE,
        why="QEMU wants the data file before it looks at any table",
    ),
    Damage("refcount-order-7", (_field(96, 7, 4),), UNCHECKABLE, "refcount_order cannot be 7"),
    Damage("header-length", (_field(100, 4096, 4),), UNCHECKABLE, "header_length cannot be 4096"),
    Damage("marked-dirty", (_field(72, 1 << 0, 8),), CLEAN),
    Damage("marked-corrupt", (_field(72, 1 << 1, 8),), CLEAN),
)

REFUSED = "QEMU refuses the table, we say what is wrong with it"


def _snapshot(
    name: str, patch: Patch, verdict: Verdict, says: str, qemu: Verdict | None = None, shape: Shape = V3
) -> Damage:
    why = REFUSED if qemu else ""
    return Damage(name, (patch,), verdict, says, None, shape, draw_with_snapshot, qemu, why)


SNAPSHOT_FIELDS = (
    Damage("snapshot", (), CLEAN, drawn=draw_with_snapshot),
    Damage("snapshot-v2", (), CLEAN, shape=V2, drawn=draw_with_snapshot),
    _snapshot("snapshots-forgotten", Patch(60, 0, 4), LEAKS, "its refcount is 1 but 0 refer to it"),
    _snapshot("snapshot-offset", Patch(64, _at(SNAPSHOTS) + 8), UNCHECKABLE, "offset of the snapshot table"),
    _snapshot("snapshots-beyond-the-end", Patch(60, 30, 4), CORRUPT, "is beyond the end of the file"),
    _snapshot("snapshot-l1-unaligned", Patch(_at(SNAPSHOTS), _at(SNAPSHOT_L1) + 8), CORRUPT, "not aligned"),
    _snapshot("snapshot-l1-far-away", Patch(_at(SNAPSHOTS), FAR), CORRUPT, "L1 table of snapshot 0 at"),
    _snapshot("snapshot-l1-huge", Patch(_at(SNAPSHOTS) + 8, 1 << 30, 4), CORRUPT, "is too large"),
    _snapshot("snapshot-extra-huge", Patch(_at(SNAPSHOTS) + 36, 1025, 4), CORRUPT, "too many", UNCHECKABLE),
    _snapshot("snapshot-extra-missing", Patch(_at(SNAPSHOTS) + 36, 8, 4), CORRUPT, "too few for version 3"),
    _snapshot(
        "snapshot-name-into-nowhere", Patch(_at(SNAPSHOTS) + 14, 1 << 15, 2), CORRUPT, "snapshot table"
    ),
    _snapshot(
        "snapshot-l1-entry", Patch(_at(SNAPSHOT_L1), _at(SNAPSHOT_L2) | 1), CORRUPT, "snapshot 0 entry 0"
    ),
    _snapshot("snapshot-l1-entry-not-copied", Patch(_at(SNAPSHOT_L1), _at(SNAPSHOT_L2)), CLEAN, ""),
    _snapshot("snapshot-l2-entry-not-copied", Patch(_at(SNAPSHOT_L2), _at(SNAPSHOT_DATA)), CLEAN, ""),
    _snapshot("snapshot-l2-entry-lost", Patch(_at(SNAPSHOT_L2), 0), LEAKS, "but 0 refer to it"),
    _snapshot("snapshot-data-shared", Patch(_at(SNAPSHOT_L2), _at(DATA)), CORRUPT, "but 2 refer to it"),
)


def _bitmap(
    name: str,
    patch: Patch,
    verdict: Verdict,
    says: str,
    qemu: Verdict | None = None,
    findings: int | None = None,
) -> Damage:
    why = REFUSED if qemu else ""
    return Damage(name, (patch,), verdict, says, findings, V3, draw_with_bitmap, qemu, why)


_BITMAP_ENTRY = _at(DIRECTORY)

BITMAP_FIELDS = (
    Damage("bitmap", (), CLEAN, drawn=draw_with_bitmap),
    _bitmap("bitmaps-not-consistent", Patch(88, 0), LEAKS, "its refcount is 1 but 0 refer to it", None, 3),
    _bitmap("bitmaps-two-of-one", Patch(112, 2, 4), CORRUPT, "ends before bitmap 1", UNCHECKABLE),
    _bitmap("bitmap-extension-short", Patch(108, 16, 4), CORRUPT, "wrong length", UNCHECKABLE),
    _bitmap("bitmap-directory-long", Patch(120, 64), CORRUPT, "longer than its entries", UNCHECKABLE),
    _bitmap(
        "bitmap-directory-unaligned", Patch(128, _at(DIRECTORY) + 8), CORRUPT, "not aligned", UNCHECKABLE
    ),
    _bitmap("bitmap-directory-far-away", Patch(128, FAR), CORRUPT, "beyond the end", UNCHECKABLE),
    _bitmap(
        "bitmap-table-unaligned",
        Patch(_BITMAP_ENTRY, _at(BITMAP_TABLE) + 8),
        CORRUPT,
        "not aligned",
        UNCHECKABLE,
    ),
    _bitmap("bitmap-table-far-away", Patch(_BITMAP_ENTRY, FAR), CORRUPT, "table of bitmap 0 at"),
    _bitmap(
        "bitmap-flags", Patch(_BITMAP_ENTRY + 12, 1 << 31, 4), CORRUPT, "flags, type or name", UNCHECKABLE
    ),
    _bitmap("bitmap-type", Patch(_BITMAP_ENTRY + 16, 7, 1), CORRUPT, "flags, type or name", UNCHECKABLE),
    _bitmap(
        "bitmap-entry-reserved",
        Patch(_at(BITMAP_TABLE), _at(BITMAP) | 2),
        CORRUPT,
        "reserved bits",
        UNCHECKABLE,
    ),
    _bitmap(
        "bitmap-entry-ones-and-data",
        Patch(_at(BITMAP_TABLE), _at(BITMAP) | 1),
        CORRUPT,
        "reserved bits",
        UNCHECKABLE,
    ),
    _bitmap("bitmap-entry-all-ones", Patch(_at(BITMAP_TABLE), 1), LEAKS, "but 0 refer to it", None, 1),
    _bitmap("bitmap-entry-far-away", Patch(_at(BITMAP_TABLE), FAR), CORRUPT, "beyond the end of the file"),
    _bitmap("bitmap-data-is-guest-data", Patch(_at(BITMAP_TABLE), _at(DATA)), CORRUPT, "but 2 refer to it"),
)

ALL = REFCOUNTS + L1_ENTRIES + L2_ENTRIES + OVERLAPS + HEADER_FIELDS + SNAPSHOT_FIELDS + BITMAP_FIELDS

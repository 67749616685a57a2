"""Table entries: what is encoded decodes, what the format forbids is bad."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.qcow2.entries import (
    COMPRESSED,
    COPIED,
    UNALLOCATED,
    BadEntry,
    Compressed,
    Data,
    Mapping,
    TablePointer,
    Zero,
    decode_l1,
    decode_l2,
    decode_refcount_pointer,
    decode_refcounts,
    decode_table,
    encode_l2,
    encode_refcounts,
    encode_table,
)
from blockops.qcow2.geometry import Geometry, geometry
from blockops.units import HostOffset

SHAPES = st.builds(geometry, st.integers(9, 21))


@st.composite
def mappings(draw: st.DrawFn) -> tuple[Geometry, Mapping]:
    shape = draw(SHAPES)
    host = HostOffset(draw(st.integers(1, (1 << 56 - shape.cluster_bits) - 1)) << shape.cluster_bits)
    copied = draw(st.booleans())
    sectors = draw(st.integers(0, (1 << shape.cluster_bits - 8) - 1))
    offset = draw(st.integers(0, (1 << min(56, 70 - shape.cluster_bits)) - 1))
    compressed = Compressed(HostOffset(offset), (sectors + 1) * 512 - offset % 512)
    kinds: list[Mapping] = [
        UNALLOCATED,
        Zero(None, False),
        Zero(host, copied),
        Data(host, copied),
        compressed,
    ]
    return shape, draw(st.sampled_from(kinds))


@given(mappings())
def test_every_mapping_survives_its_entry(drawn: tuple[Geometry, Mapping]) -> None:
    shape, mapping = drawn
    assert decode_l2(encode_l2(mapping, shape), shape) == mapping


@given(entry=st.integers(0, (1 << 64) - 1), shape=SHAPES)
def test_any_entry_decodes_to_itself_or_is_bad(entry: int, shape: Geometry) -> None:
    problem, mapping = "", None
    try:
        mapping = decode_l2(entry, shape)
    except BadEntry as bad:
        problem = str(bad)
    assert f"{entry:#018x}" in problem if mapping is None else encode_l2(mapping, shape) == entry


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (COPIED | 0x10000 | 2, "reserved"),
        (COPIED | 1 << 56, "reserved"),
        (COPIED | 0x200, "not aligned"),
        (COPIED, "offset is 0"),
        (COPIED | COMPRESSED | 0x10000, "compressed"),
    ],
)
def test_an_l2_entry_that_the_format_forbids_is_bad(entry: int, problem: str) -> None:
    with pytest.raises(BadEntry, match=problem):
        decode_l2(entry, geometry(16))


def test_version_2_has_no_zero_flag() -> None:
    with pytest.raises(BadEntry, match="version 2"):
        decode_l2(1, geometry(16, version=2))


def test_an_l1_entry_names_a_table_or_none() -> None:
    assert decode_l1(0, geometry(16)) is None
    assert decode_l1(COPIED | 0x30000, geometry(16)) == TablePointer(HostOffset(0x30000), True)
    assert decode_l1(0x30000, geometry(16)) == TablePointer(HostOffset(0x30000), False)
    for bad in (0x30001, 1 << 62, 0x30200, 1 << 56):
        with pytest.raises(BadEntry):
            decode_l1(bad, geometry(16))


def test_a_refcount_table_entry_names_a_block_or_none() -> None:
    assert decode_refcount_pointer(0, geometry(16)) is None
    assert decode_refcount_pointer(0x20000, geometry(16)) == 0x20000
    for bad in (0x20001, 0x20200):
        with pytest.raises(BadEntry):
            decode_refcount_pointer(bad, geometry(16))


@given(order=st.integers(0, 6), data=st.data())
def test_reference_counts_of_every_width_survive_their_bytes(order: int, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, (1 << (1 << order)) - 1), min_size=16, max_size=16))
    code = {4: "H", 5: "I", 6: "Q"}.get(order, "B")
    encoded = encode_refcounts(array(code, counts), order)
    assert len(encoded) == 16 * (1 << order) // 8
    assert decode_refcounts(encoded, order) == array(code, counts)
    for index, count in enumerate(counts):
        assert count == refcount_by_the_letter(encoded, order, index)


def refcount_by_the_letter(block: bytes, order: int, index: int) -> int:
    """Spec: "Refcount block entry": big-endian, and within a byte the lowest bits come first."""
    width = 1 << order
    if width >= 8:
        return int.from_bytes(block[index * width // 8 : (index + 1) * width // 8], "big")
    return block[index * width // 8] >> index * width % 8 & ((1 << width) - 1)


@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=20))
def test_tables_are_big_endian(entries: list[int]) -> None:
    encoded = encode_table(array("Q", entries))
    assert encoded == b"".join(entry.to_bytes(8, "big") for entry in entries)
    assert list(decode_table(encoded)) == entries

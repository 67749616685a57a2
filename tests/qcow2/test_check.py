"""What a check says of images that are clean, damaged in one field, cut off, garbled or hostile."""

import time

import hypothesis.strategies as st
import pytest
from hypothesis import given

from blockops.errors import HostError
from blockops.qcow2.check import CheckReport, Verdict, check
from blockops.qcow2.check.report import MOST_FINDINGS
from tests.qcow2.damage import ALL, Damage
from tests.qcow2.drawn import (
    BLOCK,
    CLUSTERS,
    COPIED,
    DATA,
    L1,
    L2,
    SPARE,
    TABLE,
    Patch,
    Shape,
    StillFile,
    draw,
    patched,
)

SHAPES = [
    *(Shape(version=3, cluster_bits=bits) for bits in (9, 10, 12, 16, 21)),
    *(Shape(version=2, cluster_bits=bits) for bits in (9, 12, 16)),
    *(Shape(refcount_order=order) for order in range(7)),
]


def verdict_of(content: bytes | bytearray) -> Verdict:
    return check(StillFile(bytes(content))).verdict


def sentences(report: CheckReport) -> list[str]:
    unsupported = [] if report.unsupported is None else [report.unsupported]
    return [str(finding) for finding in report.corruptions + report.leaks] + unsupported


def assert_plain(report: CheckReport) -> None:
    """Whatever the content, a report is a verdict and sentences of one line."""
    assert report.verdict in Verdict
    assert (report.verdict is Verdict.CLEAN) == (not sentences(report))
    for sentence in sentences(report):
        assert "\n" not in sentence
        assert sentence.isprintable()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_clean_image_is_clean_and_its_clusters_are_counted(shape: Shape) -> None:
    report = check(StillFile(bytes(draw(shape))))
    assert sentences(report) == []
    assert report.verdict is Verdict.CLEAN
    assert report.header is not None
    assert report.allocated_clusters == SPARE - DATA
    assert report.total_clusters == 4 << (shape.cluster_bits - 3)
    assert report.image_end_offset == shape.at(SPARE)


@pytest.mark.parametrize("damage", ALL, ids=lambda damage: damage.name)
def test_each_damage_has_its_verdict_and_its_sentence(damage: Damage) -> None:
    report = check(StillFile(damage.content))
    assert report.verdict is damage.verdict
    assert damage.findings in (None, len(sentences(report)))
    assert any(damage.says in sentence for sentence in sentences(report)) or not damage.says
    assert_plain(report)


@pytest.mark.parametrize("order", range(7))
def test_a_refcount_of_any_width_is_compared(order: int) -> None:
    shape = Shape(refcount_order=order)
    width = 1 << order
    where = shape.at(BLOCK) + SPARE * width // 8
    leaked = patched(shape, Patch(where, 1, max(1, width // 8)))
    report = check(StillFile(leaked))
    assert report.verdict is Verdict.LEAKS
    assert [finding.offset for finding in report.leaks] == [shape.at(SPARE)]


def test_a_finding_names_structure_offset_value_and_problem() -> None:
    shape = Shape()
    entry = COPIED | 1 << 40
    [finding] = check(StillFile(patched(shape, Patch(shape.at(L2, 9), entry)))).corruptions
    assert (finding.structure, finding.offset, finding.value) == ("L2 entry 9", shape.at(L2, 9), entry)
    assert str(finding) == "L2 entry 9 at 0x848 (0x8000010000000000): it is beyond the end of the file"


def test_the_last_cluster_may_be_cut_short_but_not_missing() -> None:
    shape = Shape()
    image = patched(shape, Patch(shape.at(L2, 2), 0), Patch(shape.at(BLOCK) + 2 * (DATA + 2), 0, 2))
    end = shape.at(DATA + 2)
    assert verdict_of(image[:end]) is Verdict.CLEAN
    assert verdict_of(image[: end - 511]) is Verdict.CLEAN
    assert verdict_of(image[: end - 512]) is Verdict.CORRUPT


def test_a_file_cut_anywhere_gets_a_verdict() -> None:
    image = bytes(draw(Shape()))
    for length in range(len(image)):
        assert_plain(check(StillFile(image[:length])))


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 4096, b"QFI\xfb", b"x" * 100_000], ids=["empty", "zeros", "magic", "x"]
)
def test_what_is_no_image_cannot_be_checked(content: bytes) -> None:
    report = check(StillFile(content))
    assert report.verdict is Verdict.UNCHECKABLE
    assert len(sentences(report)) == 1


@given(st.lists(st.tuples(st.integers(0, 9 * 512 - 1), st.binary(min_size=1, max_size=9)), max_size=6))
def test_garbled_metadata_gets_a_verdict(garbage: list[tuple[int, bytes]]) -> None:
    image = draw(Shape())
    for offset, data in garbage:
        image[offset : offset + len(data)] = data
    assert_plain(check(StillFile(bytes(image))))


@given(st.binary(max_size=512))
def test_any_bytes_behind_a_good_header_get_a_verdict(data: bytes) -> None:
    image = draw(Shape())
    assert_plain(check(StillFile(bytes(image[:104]) + data)))


@given(entry=st.integers(3, 63), cluster=st.integers(1, 1 << 47), flags=st.sampled_from([0, COPIED]))
def test_a_reference_that_nothing_accounts_for_is_never_missed(entry: int, cluster: int, flags: int) -> None:
    shape = Shape()
    offset = cluster << shape.cluster_bits
    damaged = patched(shape, Patch(shape.at(L2, entry), flags | offset))
    assert verdict_of(damaged) is Verdict.CORRUPT


def test_a_cluster_in_use_that_nothing_counts_still_belongs_to_the_image() -> None:
    shape = Shape()
    report = check(StillFile(patched(shape, Patch(shape.at(L2, 9), COPIED | shape.at(SPARE)))))
    assert report.image_end_offset == shape.at(SPARE + 1)


def test_refcount_blocks_may_be_missing_in_the_middle() -> None:
    shape = Shape()
    leaked = patched(
        shape,
        Patch(shape.at(TABLE, 2), shape.at(SPARE)),
        Patch(shape.at(BLOCK) + 2 * SPARE, 1, 2),
        Patch(shape.at(SPARE) + 2 * 3, 1, 2),
    )
    report = check(StillFile(leaked, apparent_size=1000 * shape.cluster_size))
    assert [finding.offset for finding in report.leaks] == [(2 * 256 + 3) * shape.cluster_size]
    assert report.image_end_offset == (2 * 256 + 4) * shape.cluster_size
    assert report.verdict is Verdict.LEAKS


def test_a_refcount_block_may_be_cut_short_behind_the_last_refcount() -> None:
    shape = Shape()
    image = bytearray(patched(shape, Patch(shape.at(TABLE), shape.at(SPARE))))
    image[shape.at(SPARE) :] = image[shape.at(BLOCK) : shape.at(BLOCK + 1)]
    image[shape.at(SPARE) + 2 * BLOCK + 1] = 0
    image[shape.at(SPARE) + 2 * SPARE + 1] = 1
    for kept in range(1, shape.cluster_size + 1):
        expected = Verdict.CLEAN if kept >= 2 * CLUSTERS else Verdict.CORRUPT
        assert verdict_of(image[: shape.at(SPARE) + kept]) is expected


@pytest.mark.parametrize("longest", [1, 7, 512])
def test_short_reads_change_nothing(longest: int) -> None:
    image = patched(Shape(), Patch(Shape().at(L2, 9), COPIED))
    damaged = patched(Shape(), Patch(Shape().at(L2, 9), 1 << 50))
    for content in (image, damaged):
        assert check(StillFile(content, longest=longest)) == check(StillFile(content))


@pytest.mark.parametrize("cluster", [0, TABLE, BLOCK, L1, L2])
def test_a_host_that_fails_is_the_hosts_error_and_no_verdict(cluster: int) -> None:
    shape = Shape()
    with pytest.raises(HostError, match="read at offset"):
        check(StillFile(bytes(draw(shape)), failing=shape.at(cluster)))


def test_the_guests_data_is_not_read() -> None:
    shape = Shape(cluster_bits=16)
    file = StillFile(bytes(draw(shape)), failing=shape.at(DATA))
    assert check(file).verdict is Verdict.CLEAN


def many_l1_entries(bits: int, count: int, target: int) -> bytes:
    """An image whose L1 table is large and leads to the same L2 table with every entry."""
    shape = Shape(cluster_bits=bits)
    image = draw(shape)
    l1 = len(image)
    image += (target).to_bytes(8, "big") * count
    image[36:40] = count.to_bytes(4, "big")
    image[40:48] = l1.to_bytes(8, "big")
    return bytes(image)


def test_an_l2_table_behind_many_l1_entries_is_read_once() -> None:
    shape = Shape(cluster_bits=16)
    file = StillFile(many_l1_entries(16, 20_000, shape.at(L2)))
    report = check(file)
    assert report.verdict is Verdict.CORRUPT
    assert file.bytes_read <= 2 * file.size()


def test_tables_beyond_the_end_of_the_file_cost_nothing() -> None:
    image = bytearray(many_l1_entries(16, 100, 0))
    for index in range(100):
        at = len(image) - 8 * (100 - index)
        image[at : at + 8] = (COPIED | Shape(cluster_bits=16).at(100 + index)).to_bytes(8, "big")
    file = StillFile(bytes(image))
    beyond = [one for one in check(file).corruptions if one.problem == "it is beyond the end of the file"]
    assert len(beyond) == 100
    assert file.bytes_read <= file.size()


def test_tables_on_top_of_each_other_end_the_check_with_a_sentence() -> None:
    """L2 tables at every sector of the file overlap each other a thousand times."""
    shape = Shape(cluster_bits=16)
    image = bytearray(many_l1_entries(16, 4096, 0))
    l1 = len(image) - 8 * 4096
    for index in range(1024):
        image[l1 + 8 * index : l1 + 8 * index + 8] = (shape.at(1) + 512 * index).to_bytes(8, "big")
    file = StillFile(bytes(image))
    report = check(file)
    assert report.verdict is Verdict.CORRUPT
    assert "on top of each other" in sentences(report)[-1]
    assert file.bytes_read <= 2 * file.size() + 4096


def test_a_file_that_claims_to_be_huge_costs_no_more_than_its_tables() -> None:
    shape = Shape(cluster_bits=16)
    file = StillFile(bytes(draw(shape)), apparent_size=1 << 50)
    started = time.perf_counter()
    assert check(file).verdict is Verdict.CLEAN
    assert time.perf_counter() - started < 1
    assert file.bytes_read < 1 << 20


def test_a_refcount_block_for_the_end_of_a_huge_file_is_refused_by_its_cost() -> None:
    shape = Shape()
    last = Patch(shape.at(TABLE, 63), shape.at(SPARE))
    more = Patch(56, 8192, 4)
    content = patched(shape, last)
    assert check(StillFile(content, apparent_size=1 << 50)).verdict is Verdict.CORRUPT
    far = bytearray(patched(shape, more))
    far += bytes(8 * 1_000_000 - len(far))
    far[shape.at(TABLE, 400_000) : shape.at(TABLE, 400_001)] = shape.at(SPARE).to_bytes(8, "big")
    report = check(StillFile(bytes(far), apparent_size=1 << 50))
    assert report.verdict is Verdict.UNCHECKABLE
    assert sentences(report) == ["checking a file of more than 67108864 clusters"]


def test_findings_end_where_nobody_would_read_on() -> None:
    shape = Shape(cluster_bits=21)
    image = draw(shape)
    garbage = b"\x7f" * shape.cluster_size
    image[shape.at(L2) : shape.at(L2 + 1)] = garbage
    report = check(StillFile(bytes(image)))
    assert report.verdict is Verdict.CORRUPT
    assert len(report.corruptions) == MOST_FINDINGS + 1
    assert sentences(report)[-1] == "image: too many corruptions to list; the check ends here"


def test_leaks_beyond_listing_are_counted_in_a_last_sentence() -> None:
    shape = Shape(cluster_bits=16, refcount_order=3)
    image = draw(shape)
    image[shape.at(BLOCK) + SPARE : shape.at(BLOCK + 1)] = b"\1" * (shape.cluster_size - SPARE)
    image[shape.at(TABLE, 1) : shape.at(TABLE, 2)] = shape.at(SPARE).to_bytes(8, "big")
    image[shape.at(SPARE) : shape.at(SPARE + 1)] = b"\1" * shape.cluster_size
    report = check(StillFile(bytes(image), apparent_size=1 << 40))
    assert report.verdict is Verdict.LEAKS
    assert len(report.leaks) == MOST_FINDINGS + 1
    assert sentences(report)[-1] == f"image: {2 * 65536 - 9 - MOST_FINDINGS} further clusters are leaked"

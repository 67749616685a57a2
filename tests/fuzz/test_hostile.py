"""Images that lie in any field: one sentence, no traceback, and no more work than their real size allows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.errors import BlockError
from blockops.qcow2.check import Verdict
from tests.fuzz.seeds import seeds
from tests.fuzz.target import MeasuredFile, TooMuch, try_image

SEEDS = tuple(seeds())
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*"))

LIES = (
    0,
    1,
    2,
    0xFF,
    0x200,
    0x7FFF,
    0xFFFF,
    1 << 31,
    (1 << 32) - 1,
    1 << 40,
    1 << 55,
    1 << 62,
    (1 << 64) - 1,
)
"""Values at which arithmetic goes wrong."""

PLACES = st.one_of(st.integers(0, 15).map(lambda n: 8 * n), st.integers(0, 26).map(lambda n: 4 * n))
"""Fields of the header; tables lie at whole entries anywhere."""


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    image = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        width = draw(st.sampled_from([1, 2, 4, 8]))
        anywhere = st.integers(0, len(image) // 8 - 1).map(lambda n: 8 * n)
        offset = draw(st.one_of(PLACES, anywhere))
        value = draw(st.one_of(st.sampled_from(LIES), st.integers(0, 2**64 - 1)))
        image[offset : offset + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "big")
    return bytes(image[: draw(st.one_of(st.just(len(image)), st.integers(0, len(image))))])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_is_clean(seed: bytes) -> None:
    report = try_image(seed)
    assert report is not None
    assert report.verdict is Verdict.CLEAN


@given(image=damaged())
def test_no_lie_does_more_than_be_named(image: bytes) -> None:
    try_image(image)


@given(image=st.binary(max_size=1024))
def test_no_bytes_do_more_than_be_named(image: bytes) -> None:
    try_image(image)
    try_image(b"QFI\xfb\0\0\0\3" + image)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_a_search_has_found_is_named(path: Path) -> None:
    try_image(path.read_bytes())


def test_too_much_work_is_noticed() -> None:
    file = MeasuredFile(bytearray(512))
    file.allow()
    file.operations = 10_000
    with pytest.raises(TooMuch, match="operations on a file of 512 bytes"):
        file.read(0, 8)
    file.allow()
    with pytest.raises(TooMuch, match="would grow"):
        file.write(1 << 40, b"x")
    assert not issubclass(TooMuch, BlockError)

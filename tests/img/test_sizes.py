"""Sizes mean, and are printed as, what the real tool takes and prints."""

import json
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.errors import InvalidRequest
from blockops.img.sizes import parse_size, size_in_words

Tool = Callable[[str], str]
GOOD = ["0", "512", "1k", "10K", "1M", "1.5G", "3T", "2.25k", "0x200", "0X1000", "1b", "4096B", "7.k", "0.7M"]
BAD = [
    "",
    "-1",
    "k",
    "1.5",
    "1.5B",
    "10Q",
    "1kk",
    "1 ",
    "0x",
    "1e3",
    "8E",
    "9" * 30,
    "nan",
    "٣",
]


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("text", GOOD)
def test_a_size_means_what_the_real_tool_makes_of_it(text: str, real_tool: Tool) -> None:
    made = [real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", text]
    subprocess.run(made, check=True)
    facts = subprocess.run(
        [real_tool("qemu-img"), "info", "--output=json", "image"], check=True, capture_output=True
    )
    assert json.loads(facts.stdout)["virtual-size"] == -(-parse_size(text) // 512) * 512


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("text", BAD)
def test_what_the_real_tool_takes_for_no_size_is_none(text: str, real_tool: Tool) -> None:
    made = [real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "--", text]
    assert subprocess.run(made, check=False, capture_output=True).returncode == 1
    with pytest.raises(InvalidRequest, match="size"):
        parse_size(text)


@given(st.integers(0, (1 << 63) - 1))
def test_a_number_means_itself(number: int) -> None:
    assert parse_size(str(number)) == parse_size(hex(number)) == number


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (1024, "1 KiB"),
        (352256, "344 KiB"),
        (1 << 20, "1 MiB"),
        (1023 * 1024, "0.999 MiB"),
        (5 << 40, "5 TiB"),
        ((1 << 63) - 1, "8 EiB"),
    ],
)
def test_sizes_are_printed_to_three_digits_in_the_unit_that_fits(size: int, words: str) -> None:
    assert size_in_words(size) == words

"""Sizes as people write and read them: "10G" is 10 · 2³⁰ bytes, and 1048576 bytes are "1 MiB".

The rules are QEMU's (util/cutils.c): suffixes are powers of 1024, a fraction needs one of them, a
hexadecimal number takes none.
"""

import math
import re
from fractions import Fraction
from typing import Final

from blockops.errors import InvalidRequest

MOST: Final = (1 << 63) - 1
_SUFFIXES: Final = "BKMGTPE"
_NAMES: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = re.compile(r"(\d+)(\.\d*)?([bkmgtpe]?)", re.ASCII | re.IGNORECASE)
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return the bytes that *text* means; raises `InvalidRequest` for what is no size below 8 EiB."""
    number = int(text, 16) if _HEXADECIMAL.fullmatch(text) else _decimal(text)
    if number > MOST:
        raise InvalidRequest(text, "a size must be below 8 EiB")
    return number


def _decimal(text: str) -> int:
    found = _DECIMAL.fullmatch(text)
    # A number of this length is beyond every limit; Python would take its time over a longer one.
    if found is None or len(text) > 64:
        raise InvalidRequest(text, "not a size: a number, and k, M, G, T, P or E behind it")
    whole, fraction, suffix = found.groups()
    power = _SUFFIXES.index(suffix.upper() or "B")
    exact = Fraction(whole + (fraction or "").removesuffix(".")) * (1 << (10 * power))
    if power == 0 and exact.denominator != 1:
        raise InvalidRequest(text, "not a size: there are no parts of a byte")
    return math.floor(exact + Fraction(1, 2))


def size_in_words(size: int) -> str:
    """Return *size* bytes to three digits with the unit that fits, as QEMU prints it."""
    # The unit changes at 1000 of the smaller one, so that there are never four digits.
    exponent = math.frexp(size / (1000 / 1024))[1]
    unit = max(0, (exponent - 1) // 10)
    return f"{size / (1 << (10 * unit)):.3g} {_NAMES[unit]}B"

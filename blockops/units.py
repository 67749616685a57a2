"""Numbers with a meaning: sizes in bytes, and offsets that must not be mixed up.

A guest offset says where the guest sees a byte, a host offset where an image file keeps it.
Both are whole numbers of bytes; mypy keeps them apart.
"""

from typing import NewType

GuestOffset = NewType("GuestOffset", int)
HostOffset = NewType("HostOffset", int)

SECTOR = 512
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def round_up(number: int, unit: int) -> int:
    """Return the smallest multiple of *unit* that is not below *number*."""
    return -(-number // unit) * unit


def round_down(number: int, unit: int) -> int:
    """Return the largest multiple of *unit* that is not above *number*."""
    return number // unit * unit

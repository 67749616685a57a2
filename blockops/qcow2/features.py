"""What an image announces that we cannot do, told by name before anything of it is used.

Specification: "incompatible_features", "compression_type", "Feature name table".
"""

from typing import Final

from blockops.errors import ImageError, UnsupportedFeature
from blockops.qcow2.geometry import MIN_EXTENDED_CLUSTER_BITS
from blockops.qcow2.header import (
    COMPRESSION_TYPE,
    CORRUPT,
    DATA_FILE,
    DIRTY,
    EXTENDED_L2,
    FEATURE_NAMES,
    V3_LENGTH,
    Header,
    text_of,
)

KNOWN_INCOMPATIBLE: Final = DIRTY | CORRUPT | DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2
ZLIB: Final = 0
ZSTD: Final = 1
COMPRESSION_TYPES: Final = ("zlib", "zstd")

BITMAPS_CONSISTENT: Final = 1 << 0
DATA_FILE_RAW: Final = 1 << 1
KNOWN_AUTOCLEAR: Final = BITMAPS_CONSISTENT | DATA_FILE_RAW

_ENCRYPTION: Final = {1: "AES", 2: "LUKS"}
_FEATURE_NAME_SIZE: Final = 48


def refuse_reading(header: Header, path: str) -> None:
    """Raise `UnsupportedFeature` where the image uses a feature that we cannot read.

    Raises `ImageError` where what it says of its features contradicts itself.
    """
    if header.crypt_method:
        name = _ENCRYPTION.get(header.crypt_method, f"method {header.crypt_method}")
        raise UnsupportedFeature(path, f"encryption ({name})")
    unknown = header.incompatible & ~KNOWN_INCOMPATIBLE
    if unknown:
        raise UnsupportedFeature(path, ", ".join(_names_of(unknown, header)))
    if header.incompatible & EXTENDED_L2 and header.geometry.cluster_bits < MIN_EXTENDED_CLUSTER_BITS:
        problem = f"cluster_bits cannot be {header.geometry.cluster_bits} with extended L2 entries"
        raise ImageError(path, "header", 20, problem)
    _refuse_compression(header, path)


def _refuse_compression(header: Header, path: str) -> None:
    kind = header.compression_type
    if bool(header.incompatible & COMPRESSION_TYPE) != (kind != ZLIB):
        problem = f"compression type is {kind}, which the incompatible feature bit 3 contradicts"
        raise ImageError(path, "header", V3_LENGTH, problem)
    if kind not in (ZLIB, ZSTD):
        raise UnsupportedFeature(path, f"compression type {kind}")


def refuse_writing(header: Header, path: str) -> None:
    """Raise `UnsupportedFeature` where the image may be read but not be written by us."""
    if header.incompatible & CORRUPT:
        raise UnsupportedFeature(path, "writing to an image that is marked corrupt")


def _names_of(bits: int, header: Header) -> list[str]:
    """Name unknown incompatible features from the image's own table (spec: "Feature name table")."""
    table = header.extension(FEATURE_NAMES) or b""
    names = {}
    for start in range(0, len(table) - _FEATURE_NAME_SIZE + 1, _FEATURE_NAME_SIZE):
        if table[start] == 0:
            names[table[start + 1]] = text_of(table[start + 2 : start + _FEATURE_NAME_SIZE].rstrip(b"\0"))
    return [names.get(bit) or f"incompatible feature {bit}" for bit in range(64) if bits >> bit & 1]

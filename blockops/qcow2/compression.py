"""The two compression methods of clusters: raw deflate, and zstd where its library is installed.

A compressed cluster has no end mark of its own that can be relied on: what lies behind its last byte is
somebody else's, so decompression ends when a cluster is full.  It never makes more than that, whatever
the data claims (spec: "compression_type", "Compressed Clusters Descriptor").
"""

import importlib
import zlib
from typing import Any, Final, Protocol

from blockops.errors import UnsupportedFeature
from blockops.qcow2.features import ZSTD

# QEMU deflates with a window of 4 KiB and inflates nothing that needs a larger one.
_WINDOW_BITS: Final = -12
_ZSTD_LEVEL: Final = 3
# The most memory that a zstd frame may ask for, 8 MiB: the window of the highest level of common encoders.
# A cluster has 2 MiB at most, so no frame needs more.
_ZSTD_WINDOW_LOG: Final = 23


class BadData(ValueError):
    """Compressed data that does not decompress to what it should; the text says why."""


class Compression(Protocol):
    """One method of compression."""

    def compress(self, data: bytes) -> bytes:
        """Return *data* compressed, which may be longer than it was."""

    def decompress(self, data: bytes, length: int) -> bytes:
        """Return exactly the first *length* bytes of what *data* begins with; raises `BadData`."""


class _Deflate:
    def compress(self, data: bytes) -> bytes:
        machine = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _WINDOW_BITS)
        return machine.compress(data) + machine.flush()

    def decompress(self, data: bytes, length: int) -> bytes:
        try:
            found = zlib.decompressobj(_WINDOW_BITS).decompress(data, length)
        except zlib.error as error:
            raise BadData(str(error)) from error
        return _whole(found, length)


class _Zstandard:
    """The library `zstandard`."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def compress(self, data: bytes) -> bytes:
        packed: bytes = self._library.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)
        return packed

    def decompress(self, data: bytes, length: int) -> bytes:
        machine = self._library.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG)
        try:
            # A cluster may be several frames (QEMU's qcow2_zstd_decompress reads them so).
            found: bytes = machine.stream_reader(data, read_across_frames=True).read(length)
        except self._library.ZstdError as error:
            raise BadData(str(error)) from error
        return _whole(found, length)


class _StandardLibrary:
    """The standard library's own zstd, of Python 3.14 and later."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def compress(self, data: bytes) -> bytes:
        packed: bytes = self._library.compress(data, level=_ZSTD_LEVEL)
        return packed

    def decompress(self, data: bytes, length: int) -> bytes:
        found = b""
        options = {self._library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        try:
            while data and len(found) < length:
                machine = self._library.ZstdDecompressor(options=options)
                found += machine.decompress(data, length - len(found))
                data = machine.unused_data
        except self._library.ZstdError as error:
            raise BadData(str(error)) from error
        return _whole(found, length)


def _whole(found: bytes, length: int) -> bytes:
    if len(found) < length:
        raise BadData(f"it holds {len(found)} of {length} bytes")
    return found


def compression(kind: int, path: str) -> Compression:
    """Return the method with the number *kind* of the header; raises `UnsupportedFeature` for *path*."""
    if kind != ZSTD:
        return _Deflate()
    for name, method in (("compression.zstd", _StandardLibrary), ("zstandard", _Zstandard)):
        try:
            return method(importlib.import_module(name))
        except ImportError:
            continue
    missing = "compression type zstd without its library (pip install 'blockops[zstd]')"
    raise UnsupportedFeature(path, missing)

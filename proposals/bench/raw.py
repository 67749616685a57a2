"""The limits: the same work on raw files with system calls alone.  All return seconds."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from proposals.bench.site import CLUSTER

_MODE = 0o600
_SMALL = (104, 4096, 8)
"""What an overlay consists of at least: a header, a table, an entry."""


@contextmanager
def _file(name: str, flags: int) -> Iterator[int]:
    descriptor = os.open(name, flags | os.O_CLOEXEC, _MODE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def reads(name: str, offsets: Sequence[int], length: int) -> float:
    """Read at all *offsets*."""
    with _file(name, os.O_RDONLY) as file:
        begin, read = time.perf_counter(), os.pread
        for offset in offsets:
            read(file, length, offset)
        return time.perf_counter() - begin


def writes(name: str, offsets: Sequence[int], data: bytes) -> float:
    """Write at all *offsets* of a new file, which is gone afterwards."""
    with _file(name, os.O_RDWR | os.O_CREAT | os.O_EXCL) as file:
        begin, write = time.perf_counter(), os.pwrite
        for offset in offsets:
            write(file, data, offset)
        seconds = time.perf_counter() - begin
    os.unlink(name)
    return seconds


def copies(source: str, name: str, offsets: Sequence[int]) -> float:
    """Copy the clusters at *offsets* from *source* to a new file, which is gone afterwards."""
    with _file(source, os.O_RDONLY) as old, _file(name, os.O_RDWR | os.O_CREAT | os.O_EXCL) as new:
        begin = time.perf_counter()
        for offset in offsets:
            os.pwrite(new, os.pread(old, CLUSTER, offset), offset)
        seconds = time.perf_counter() - begin
    os.unlink(name)
    return seconds


def opens(name: str, times: int) -> float:
    """Open, read one cluster and close, *times* over."""
    begin = time.perf_counter()
    for _ in range(times):
        with _file(name, os.O_RDONLY) as file:
            os.pread(file, CLUSTER, 0)
    return time.perf_counter() - begin


def creates(names: Sequence[str]) -> float:
    """Create files with three small writes each."""
    begin = time.perf_counter()
    for name in names:
        with _file(name, os.O_RDWR | os.O_CREAT | os.O_EXCL) as file:
            for place, length in enumerate(_SMALL):
                os.pwrite(file, bytes(length), place * CLUSTER)
    return time.perf_counter() - begin

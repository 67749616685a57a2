"""What is measured: the image core over POSIX files.  All return seconds; only one counts the opening."""

import time
from collections.abc import Sequence
from pathlib import Path

from blockops.graph.formats import NewImage, create_image
from proposals.bench.site import Site, release


def reads(site: Site, name: str, offsets: Sequence[int], length: int) -> float:
    """Read at all *offsets* of an image."""
    node = site.opened(name)
    begin, read = time.perf_counter(), node.read
    for offset in offsets:
        read(offset, length)
    seconds = time.perf_counter() - begin
    release(node)
    return seconds


def writes(site: Site, new: NewImage, offsets: Sequence[int], data: bytes) -> float:
    """Write at all *offsets* of a new image, which is gone afterwards; its tables stay in memory."""
    create_image(site.folder, new, durable=False)
    node = site.opened(new.filename, writable=True)
    begin, write = time.perf_counter(), node.write
    for offset in offsets:
        write(offset, data)
    seconds = time.perf_counter() - begin
    release(node)
    Path(new.filename).unlink()
    return seconds


def opens(site: Site, name: str) -> float:
    """Open an image with all below it, read a little and close everything."""
    begin = time.perf_counter()
    node = site.opened(name)
    node.read(0, 4096)
    release(node)
    return time.perf_counter() - begin


def creates(site: Site, news: Sequence[NewImage]) -> float:
    """Create images."""
    folder = site.folder
    begin = time.perf_counter()
    for new in news:
        create_image(folder, new, durable=False)
    return time.perf_counter() - begin

"""What an image file is, read by the checker and the codec alone: never by the code under test.

Facts depend on a file's bytes only, so they are remembered by the digest of the bytes: over a
comparison most images of most cases are equal.
"""

import posixpath
from collections.abc import Iterator

import attrs

from blockops.errors import BlockError
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.qcow2.check import check

MAGIC = b"QFI\xfb"
_REMEMBERED = 20_000


@attrs.frozen
class ImageFacts:
    """One file: its format, virtual size in bytes, what it names as backing, and what is wrong with it."""

    format: str
    size: int
    backing_file: str | None = None
    backing_format: str | None = None
    corruptions: tuple[str, ...] = ()
    leaks: int = 0


_facts: dict[tuple[bytes, int], ImageFacts] = {}


def image_facts(disk: MemoryDisk, path: str) -> ImageFacts | None:
    """Return the facts of the file at the absolute name *path*, None where there is none."""
    if not disk.exists(path):
        return None
    content = disk.content("open", path)
    key = (content.digest(), content.size)
    found = _facts.get(key)
    if found is None:
        if len(_facts) >= _REMEMBERED:
            _facts.clear()
        found = _facts[key] = _examine(disk, path)
    return found


def _examine(disk: MemoryDisk, path: str) -> ImageFacts:
    file = MemoryFolder(disk, "/").open(path, writable=False)
    try:
        if file.read(0, 4) != MAGIC:
            return ImageFacts("raw", file.size())
        report = check(file)
    except BlockError as error:
        return ImageFacts("qcow2", 0, corruptions=(str(error),))
    finally:
        file.close()
    corruptions = tuple(str(finding) for finding in report.corruptions)
    header = report.header
    if header is None:
        return ImageFacts("qcow2", 0, corruptions=corruptions or (f"{path}: unreadable",))
    return ImageFacts(
        "qcow2", header.size, header.backing_file, header.backing_format, corruptions, len(report.leaks)
    )


def chain_on_disk(disk: MemoryDisk, top: str) -> Iterator[str]:
    """Yield the absolute names of the chain that a reopen of *top* from its headers alone would use."""
    seen: set[str] = set()
    path: str | None = top
    while path is not None and path not in seen:
        seen.add(path)
        yield path
        facts = image_facts(disk, path)
        path = None if facts is None or facts.backing_file is None else beside(path, facts.backing_file)


def beside(path: str, name: str) -> str:
    """Return the absolute form of a backing *name* that the image at *path* records."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))

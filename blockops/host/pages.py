"""The content of a file in memory: a table of 4 KiB pages, each immutable, and so free to share.

Holes cost nothing.  A fork shares the whole table until one side writes; then that side copies the
table, not the pages.  Chosen by measuring against one bytearray a file, copied at the first write
after a fork: reads and writes up to a page cost the same, but that first write cost 7 µs for 300 KiB
instead of 1, grew with the file, and a sparse file took its whole size.
"""

import hashlib
from typing import ClassVar, Final

import attrs

from blockops.host.api import HostFile, LockMode

PAGE: Final = 4096
_SHIFT: Final = 12
_WITHIN: Final = PAGE - 1
_HOLE: Final = bytes(PAGE)


@attrs.define(eq=False)
class Content:
    """A file's bytes, and who holds locks on it.  Bytes of the last page beyond the size are zero."""

    read_only: ClassVar[bool] = False
    volume: ClassVar[bool] = False

    size: int = 0
    pages: dict[int, bytes] = attrs.Factory(dict)
    locks: dict[object, LockMode] = attrs.Factory(dict)
    # Whether a fork may hold the same table.
    _shared: bool = False
    _digest: bytes | None = None
    # Digests by page number, right only where the page is still the very same object; forks share them.
    _page_digests: dict[int, tuple[bytes, bytes]] = attrs.Factory(dict)

    def fork(self) -> "Content":
        """Return the same bytes with a life of their own, and no locks."""
        self._shared = True
        return Content(self.size, self.pages, {}, True, self._digest, self._page_digests)

    def take_over(self, other: "Content") -> None:
        """Have the same bytes as *other* from now on; handles and locks stay."""
        twin = other.fork()
        self.size, self.pages, self._shared, self._digest = twin.size, twin.pages, True, twin._digest

    def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        size = self.size
        end = offset + length
        if end > size:
            end, length = size, size - offset
        if length <= 0:
            return b""
        start = offset & _WITHIN
        if start + length > PAGE:
            return self._read_pages(offset, end)
        page = self.pages.get(offset >> _SHIFT, _HOLE)
        return page if length == PAGE else page[start : start + length]

    def _read_pages(self, offset: int, end: int) -> bytes:
        page_at = self.pages.get
        parts = [page_at(number, _HOLE) for number in range(offset >> _SHIFT, (end + _WITHIN) >> _SHIFT)]
        if start := offset & _WITHIN:
            parts[0] = parts[0][start:]
        if rest := end & _WITHIN:
            parts[-1] = parts[-1][:rest]
        return b"".join(parts)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put *data* at *offset*."""
        if self._shared:
            self.pages, self._shared = dict(self.pages), False
        self._digest = None
        length = len(data)
        if (offset & _WITHIN) + length <= PAGE:
            self._write_page(offset >> _SHIFT, offset & _WITHIN, data)
        else:
            self._write_pages(offset, bytes(data))
        if offset + length > self.size:
            self.size = offset + length

    def _write_page(self, number: int, start: int, data: bytes | bytearray | memoryview) -> None:
        if len(data) == PAGE:
            self.pages[number] = bytes(data)
        else:
            page = self.pages.get(number, _HOLE)
            self.pages[number] = b"".join((page[:start], data, page[start + len(data) :]))

    def _write_pages(self, offset: int, data: bytes) -> None:
        first, head = -(-offset >> _SHIFT), -offset & _WITHIN
        last, tail = (offset + len(data)) >> _SHIFT, (offset + len(data)) & _WITHIN
        if head:
            self._write_page(first - 1, PAGE - head, data[:head])
        for number in range(first, last):
            self.pages[number] = data[head : head + PAGE]
            head += PAGE
        if tail:
            self._write_page(last, 0, data[head:])

    def truncate(self, size: int) -> None:
        """Set the size; what is beyond it is forgotten."""
        self._digest = None
        if size < self.size:
            keep = -(-size >> _SHIFT)
            self.pages = {number: page for number, page in self.pages.items() if number < keep}
            self._shared = False
            cut = size & _WITHIN
            if cut and keep - 1 in self.pages:
                self.pages[keep - 1] = self.pages[keep - 1][:cut] + bytes(PAGE - cut)
        self.size = size

    def allocated(self) -> list[tuple[int, bytes]]:
        """Return offset and bytes of every page that is not all zero, in order; the last may pass the end."""
        return [(number << _SHIFT, page) for number, page in sorted(self.pages.items()) if page != _HOLE]

    def digest(self) -> bytes:
        """Return a hash of the bytes; which of the zeroes are holes makes no difference."""
        if self._digest is None:
            total = hashlib.blake2b(b"%d;" % self.size, digest_size=16)
            for number, page in sorted(self.pages.items()):
                if page != _HOLE:
                    total.update(b"%d:" % number + self._page_digest(number, page))
            self._digest = total.digest()
        return self._digest

    def _page_digest(self, number: int, page: bytes) -> bytes:
        known = self._page_digests.get(number)
        if known is not None and known[0] is page:
            return known[1]
        digest = hashlib.blake2b(page, digest_size=16).digest()
        self._page_digests[number] = (page, digest)
        return digest


@attrs.define(eq=False)
class AdoptedContent(Content):
    """Another file's bytes, read where they lie; they cannot change here, so a name identifies them."""

    read_only: ClassVar[bool] = True

    file: HostFile = attrs.field(kw_only=True)

    def fork(self) -> "AdoptedContent":
        return AdoptedContent(self.size, digest=self._digest, file=self.file)

    def read(self, offset: int, length: int) -> bytes:
        return self.file.read(offset, length)


@attrs.define(eq=False)
class VolumeContent(Content):
    """The bytes of a volume: its size stays as it is."""

    volume: ClassVar[bool] = True

    def fork(self) -> "VolumeContent":
        self._shared = True
        return VolumeContent(self.size, self.pages, {}, True, self._digest, self._page_digests)


def volume(size: int, filling: bytes) -> VolumeContent:
    """Return a volume of *size* bytes, a multiple of a page, every page of which is *filling*."""
    return VolumeContent(size, dict.fromkeys(range(size >> _SHIFT), filling))


def adopted(name: str, file: HostFile) -> AdoptedContent:
    """Return the content of *file*, which its *name* and size stand for in digests."""
    size = file.size()
    identity = hashlib.blake2b(f"adopted {size} {name!a}".encode(), digest_size=16)
    return AdoptedContent(size, digest=identity.digest(), file=file)

"""How long an image takes for many equal requests, one after the other."""

from collections.abc import Callable

import attrs

from blockops.errors import InvalidRequest
from blockops.img.opening import Chain


@attrs.frozen
class Requests:
    """*count* requests of *size* bytes, the first at *offset*, each *step* bytes behind the one before.

    Where one would end behind the disk, the next round begins at its start.  With *write* a byte *pattern*
    is written, and flushed after every *flush_interval* requests where that is not 0.
    """

    count: int = 75000
    size: int = 4096
    offset: int = 0
    step: int | None = None
    write: bool = False
    pattern: int = 0
    flush_interval: int = 0

    @property
    def stride(self) -> int:
        """The bytes from one request to the next: their size, where nobody said."""
        return self.step or self.size


def bench(chain: Chain, requests: Requests, clock: Callable[[], float]) -> float:
    """Send *requests* to an open image and return the seconds of *clock* that they took.

    Raises `InvalidRequest` for requests that no place of the disk can hold; errors as reading or writing.
    """
    image, size = chain.top.image, chain.size
    if not 0 < requests.size <= size or requests.offset + requests.size > size:
        raise InvalidRequest(
            chain.top.filename, f"{requests.size} bytes at {requests.offset} are not in its {size} bytes"
        )
    if requests.flush_interval and not requests.write:
        raise InvalidRequest(chain.top.filename, "only writes are flushed")
    data = bytes([requests.pattern]) * requests.size if requests.write else b""
    offset, start = requests.offset, clock()
    for number in range(1, requests.count + 1):
        if requests.write:
            image.write(offset, data)
            if requests.flush_interval and number % requests.flush_interval == 0:
                image.flush()
        else:
            image.read(offset, requests.size)
        offset += requests.stride
        if offset + requests.size > size:
            offset = 0
    return clock() - start

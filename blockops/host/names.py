"""What a file name means, the same on every host: text, normalised without looking at the disk."""

import functools
import posixpath

MAX_NAME = 255
MAX_PATH = 4095


@functools.lru_cache(maxsize=4096)
def absolute(folder: str, name: str) -> str:
    """Return *name* as seen from *folder*, absolute, without ".", ".." or doubled slashes.

    Normalised as text ("a/../b" is "b" even where "a" is a link), so that one file name in an image
    means the same in every place that looks at it.  Never fails, touches nothing.
    """
    # POSIX lets exactly two leading slashes mean something else; Linux does not, and neither do we.
    return "/" + posixpath.normpath(posixpath.join(folder, name)).lstrip("/")

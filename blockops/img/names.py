"""Names of backing files as an image records them, and as somebody elsewhere has to write them."""

import posixpath

from blockops.graph.recorded import PREFIX, described


def beside(filename: str, recorded: str) -> str:
    """Return a name *recorded* in the image *filename* as somebody in the same working folder names it."""
    if recorded.startswith(PREFIX):
        return recorded
    return posixpath.join(posixpath.dirname(filename), recorded)


def below(filename: str, recorded: str) -> str:
    """Return the name of the file itself, where *recorded* describes one; errors as opening it."""
    return described(filename, recorded)[0] if recorded.startswith(PREFIX) else beside(filename, recorded)

"""Names of backing files as an image records them, and as somebody elsewhere has to write them."""

import posixpath


def beside(filename: str, recorded: str) -> str:
    """Return a name *recorded* in the image *filename* as somebody in the same working folder names it."""
    if recorded.startswith("json:"):
        return recorded
    return posixpath.join(posixpath.dirname(filename), recorded)

"""Backing files that an image names by a description, "json:{…}", instead of a file name.

Understood are descriptions of one file, by itself or under one of our formats; a name in one is seen from
the working folder and not from the image, as in QEMU.  All others are refused as they stand.
"""

import json
from typing import Any, Final

from blockops.errors import ImageError, UnsupportedFeature

PREFIX: Final = "json:"


def described(path: str, name: str) -> tuple[str, str | None]:
    """Return the file name and, where it is said, the format that the image at *path* describes as *name*.

    Raises `ImageError` for what is no description, `UnsupportedFeature` for one that is not understood.
    """
    try:
        found = json.loads(name.removeprefix(PREFIX))
    except (ValueError, RecursionError) as error:
        raise ImageError(path, "backing file name", None, f"{name!r} is not JSON") from error
    filename, driver = _file(_nested(found))
    if filename is None:
        raise UnsupportedFeature(path, f"the backing file {name!r}")
    return filename, driver


def _nested(found: Any) -> Any:
    """Return a description with "file.filename" and its like spelt out."""
    if not isinstance(found, dict):
        return found
    plain = {key: value for key, value in found.items() if not key.startswith("file.")}
    dotted = {key.removeprefix("file."): value for key, value in found.items() if key.startswith("file.")}
    return {**plain, "file": dotted} if dotted else plain


def _file(found: Any) -> tuple[str | None, str | None]:
    match found:
        case {"driver": "file", "filename": str(filename)} if len(found) == 2:
            return filename, None
        case {"driver": str(driver), "file": {"driver": "file", "filename": str(filename)} as file}:
            return (filename, driver) if len(found) == len(file) == 2 else (None, None)
        case {"driver": str(driver), "file": {"filename": str(filename)} as file}:
            return (filename, driver) if (len(found), len(file)) == (2, 1) else (None, None)
        case {"file": {"driver": "file", "filename": str(filename)} as file}:
            return (filename, None) if (len(found), len(file)) == (1, 2) else (None, None)
        case _:
            return None, None

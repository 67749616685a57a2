"""Creation options as people write them after `-o`: "cluster_size=4k,compat=1.1".

A comma in a value is written twice, and the last of several values counts, as in QEMU.  What the format has
and we cannot write is refused by its name and value.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from blockops.errors import InvalidRequest, UnsupportedFeature
from blockops.img.sizes import parse_size

DEFAULT_CLUSTER_SIZE: Final = 65536
_VERSIONS: Final = {"0.10": 2, "v2": 2, "1.1": 3, "v3": 3}
_PREALLOCATIONS: Final = ("off", "metadata", "falloc", "full")

HELP: Final = {
    "qcow2": {
        "backing_file": "name of the image below",
        "backing_fmt": "its format",
        "cluster_size": "from 512 to 2M, a power of two",
        "compat": "0.10 or v2, 1.1 or v3",
        "compression_type": "zlib, or zstd where Python has it",
        "data_file": "name of a file for the guest's data, made with the image",
        "data_file_raw": "on: that file is a raw image, too",
        "extended_l2": "on or off; on needs clusters of 16k or more",
        "lazy_refcounts": "on or off",
        "preallocation": "off, metadata, falloc or full",
        "refcount_bits": "from 1 to 64, a power of two",
        "size": "of the guest's disk",
    },
    "raw": {"preallocation": "off, falloc or full", "size": "of the guest's disk"},
}
"""The options that can be written, and what they may be."""

_ENCRYPTION: Final = ("encryption", "encrypt.")


@attrs.frozen
class ImageOptions:
    """What a new image shall be like; sizes in bytes, None where nobody said."""

    size: int | None = None
    backing_file: str | None = None
    backing_format: str | None = None
    cluster_size: int = DEFAULT_CLUSTER_SIZE
    compat: str | None = None
    refcount_bits: int = 16
    lazy_refcounts: bool = False
    compression_type: str = "zlib"
    preallocation: str | None = None
    extended_l2: bool = False
    data_file: str | None = None
    data_file_raw: bool = False

    @property
    def version(self) -> int:
        """The version of the qcow2 format."""
        return _VERSIONS[self.compat or "1.1"]


def parse_options(texts: Sequence[str], format: str) -> ImageOptions:
    """Return what the values of several `-o` mean together; raises `InvalidRequest`, `UnsupportedFeature`."""
    given = {name: value for text in texts for name, value in _pairs(text)}
    for name, value in given.items():
        _refuse_unknown(name, value, format)
    return ImageOptions(
        size=_size(given, "size", None),
        backing_file=given.get("backing_file"),
        backing_format=given.get("backing_fmt"),
        cluster_size=_size(given, "cluster_size", DEFAULT_CLUSTER_SIZE) or 0,
        compat=_one_of(given, "compat", tuple(_VERSIONS)),
        refcount_bits=_number(given, "refcount_bits", 16),
        lazy_refcounts=_one_of(given, "lazy_refcounts", ("on", "off")) == "on",
        compression_type=_one_of(given, "compression_type", ("zlib", "zstd")) or "zlib",
        preallocation=_preallocation(given, format),
        extended_l2=_one_of(given, "extended_l2", ("on", "off")) == "on",
        data_file=given.get("data_file"),
        data_file_raw=_one_of(given, "data_file_raw", ("on", "off")) == "on",
    )


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for one in text.replace(",,", "\0").split(","):
        name, equals, value = one.replace("\0", ",").partition("=")
        if not equals or not name:
            raise InvalidRequest(text, f"not an option list: '{one}' has no value")
        pairs.append((name, value))
    return pairs


def _refuse_unknown(name: str, value: str, format: str) -> None:
    if name in HELP[format]:
        return
    if format == "qcow2" and name.startswith(_ENCRYPTION):
        raise UnsupportedFeature(name, f"creating an image with {name}={value}")
    raise InvalidRequest(name, f"the format {format} has no such option")


def _size(given: Mapping[str, str], name: str, default: int | None) -> int | None:
    return parse_size(given[name]) if name in given else default


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidRequest(name, f"'{text}' is not a number that it can be")
    return int(text)


def _one_of(given: Mapping[str, str], name: str, values: Sequence[str]) -> str | None:
    value = given.get(name)
    if value is not None and value not in values:
        raise InvalidRequest(name, f"'{value}' is none of {', '.join(values)}")
    return value


def _preallocation(given: Mapping[str, str], format: str) -> str | None:
    value = _one_of(given, "preallocation", _PREALLOCATIONS)
    if value is not None and value not in HELP[format]["preallocation"].replace(",", "").split():
        raise UnsupportedFeature("preallocation", f"a {format} image with preallocation={value}")
    return value

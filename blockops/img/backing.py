"""Letting the header of a qcow2 image name another backing file, or none."""

import attrs

from blockops.host.api import HostFile, write_fully
from blockops.qcow2.features import KNOWN_AUTOCLEAR, refuse_reading, refuse_writing
from blockops.qcow2.header import (
    BACKING_FORMAT,
    Header,
    backing_format_extension,
    bytes_of,
    encode,
    read_header,
)


def name_backing(file: HostFile, name: str | None, format: str | None) -> None:
    """Write the header of an image that nobody has open anew; all else in it stays.  Durable.

    Raises `InvalidRequest` where the name is too long for the first cluster, and `UnsupportedFeature` for an
    image that we could not write, before anything is written.
    """
    old = read_header(file)
    refuse_reading(old, file.path)
    refuse_writing(old, file.path)
    data = encode(_renamed(old, name, format))
    # What of the old header is behind the new one must not be taken for a name or an extension.
    end = max(len(data), old.backing_offset + len(bytes_of(old.backing_file or "")))
    write_fully(file, 0, data.ljust(end, b"\0"))
    file.flush()


def _renamed(header: Header, name: str | None, format: str | None) -> Header:
    kept = tuple(one for one in header.extensions if one.kind != BACKING_FORMAT)
    named = () if name is None or format is None else (backing_format_extension(format),)
    return attrs.evolve(
        header,
        autoclear=header.autoclear & KNOWN_AUTOCLEAR,  # the guest's disk stays, so bitmaps of it do, too
        backing_file=name,
        backing_offset=0,
        extensions=(*named, *kept),
    )

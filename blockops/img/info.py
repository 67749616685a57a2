"""What an image says of itself: format, sizes, backing, features, snapshots, bitmaps.

Only headers and directories are read, so images that cannot be read any further have an answer, too.
"""

from collections.abc import Iterator
from typing import Any, Final

import attrs

from blockops.errors import ImageError
from blockops.graph.formats import known_format, probe
from blockops.graph.recorded import PREFIX, described
from blockops.host.api import LockMode
from blockops.host.posix import PosixFile, PosixFolder
from blockops.img.directory import Bitmap, Snapshot, bitmaps, snapshots
from blockops.img.names import beside
from blockops.qcow2.features import KNOWN_INCOMPATIBLE, refuse_reading
from blockops.qcow2.header import COMPRESSION_TYPE, CORRUPT, DATA_FILE, DIRTY, Header, read_header
from blockops.units import SECTOR, round_up

LAZY_REFCOUNTS: Final = 1 << 0
DATA_FILE_RAW: Final = 1 << 1
DATA_FILE_NAME: Final = 0x44415441
AES: Final = 1
_COMPRESSION: Final = ("zlib", "zstd")


@attrs.frozen
class Qcow2Details:
    """What only qcow2 has; None where the image's version has no such thing."""

    compat: str
    compression_type: str
    refcount_bits: int
    lazy_refcounts: bool | None = None
    corrupt: bool | None = None
    extended_l2: bool | None = None
    data_file: str | None = None
    data_file_raw: bool | None = None
    encryption: str | None = None
    bitmaps: tuple[Bitmap, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints, in the order of its human output."""
        fields = {
            "compat": self.compat,
            "compression-type": self.compression_type,
            "lazy-refcounts": self.lazy_refcounts,
            "bitmaps": [bitmap.as_json() for bitmap in self.bitmaps] or None,
            "refcount-bits": self.refcount_bits,
            "data-file": self.data_file,
            "data-file-raw": self.data_file_raw,
            "encrypt": None if self.encryption is None else {"format": self.encryption},
            "corrupt": self.corrupt,
            "extended-l2": self.extended_l2,
        }
        return {key: value for key, value in fields.items() if value is not None}


@attrs.frozen
class ImageInfo:
    """The facts of one image; sizes in bytes, *actual_size* what the host has allocated for it."""

    filename: str
    format: str
    virtual_size: int
    actual_size: int
    dirty: bool = False
    cluster_size: int | None = None
    backing_filename: str | None = None
    full_backing_filename: str | None = None
    backing_format: str | None = None
    snapshots: tuple[Snapshot, ...] = ()
    details: Qcow2Details | None = None

    @property
    def encrypted(self) -> bool:
        """Whether the guest's data is encrypted."""
        return self.details is not None and self.details.encryption is not None

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints."""
        details = self.details
        fields = {
            "filename": self.filename,
            "format": self.format,
            "virtual-size": self.virtual_size,
            "actual-size": self.actual_size,
            "dirty-flag": self.dirty,
            "cluster-size": self.cluster_size,
            "encrypted": self.encrypted or None,
            "backing-filename": self.backing_filename,
            "full-backing-filename": self.full_backing_filename,
            "backing-filename-format": self.backing_format,
            "snapshots": [snapshot.as_json() for snapshot in self.snapshots] or None,
            "format-specific": None if details is None else {"type": "qcow2", "data": details.as_json()},
        }
        return {key: value for key, value in fields.items() if value is not None}


def info(
    folder: PosixFolder, filename: str, format: str | None = None, *, force_share: bool = False
) -> ImageInfo:
    """Return what *filename* says of itself; its backing file is not looked at.

    *format* is probed where None.  *force_share*: also where somebody is writing to it.  Raises `HostError`,
    `ImageError`, `UnsupportedFeature`, and `InvalidBlockFormat` for a format that nobody knows.
    """
    file = folder.open(filename, writable=False)
    try:
        if not force_share:
            file.lock(LockMode.SHARED)
            file.lock_as_qemu()
        if (known_format(format) if format is not None else probe(file)) == "raw":
            return ImageInfo(filename, "raw", round_up(file.size(), SECTOR), file.allocated())
        return _qcow2_info(file, filename)
    finally:
        file.close()


def backing_chain(
    folder: PosixFolder, filename: str, format: str | None = None, *, force_share: bool = False
) -> Iterator[ImageInfo]:
    """Yield the facts of *filename* and of every image below it; raises `ImageError` for a loop, too."""
    seen: list[str] = []
    following: str | None = filename
    while following is not None:
        path = folder.resolve(following)
        if path in seen:
            problem = f"{path} is above it in the chain: a loop"
            raise ImageError(seen[-1], "backing file name", None, problem)
        seen.append(path)
        found = info(folder, following, format, force_share=force_share)
        yield found
        following, format = _following(path, found)


def _following(path: str, found: ImageInfo) -> tuple[str | None, str | None]:
    name = found.full_backing_filename
    if name is None or not name.startswith(PREFIX):
        return name, found.backing_format
    filename, driver = described(path, name)
    return filename, driver or found.backing_format


def _qcow2_info(file: PosixFile, filename: str) -> ImageInfo:
    header = read_header(file)
    _refuse_unknown(header, file.path)
    backing = header.backing_file
    return ImageInfo(
        filename=filename,
        format="qcow2",
        virtual_size=round_up(header.size, SECTOR),
        actual_size=file.allocated(),
        dirty=bool(header.incompatible & DIRTY),
        cluster_size=header.geometry.cluster_size,
        backing_filename=backing,
        full_backing_filename=None if backing is None else beside(filename, backing),
        backing_format=header.backing_format,
        snapshots=snapshots(file, header),
        details=_details(file, header),
    )


def _refuse_unknown(header: Header, path: str) -> None:
    """Refuse what the format does not know; what we know and cannot read does not matter here."""
    unknown = attrs.evolve(
        header,
        incompatible=header.incompatible & (~KNOWN_INCOMPATIBLE | COMPRESSION_TYPE),
        crypt_method=0 if header.crypt_method == AES else header.crypt_method,
    )
    refuse_reading(unknown, path)


def _details(file: PosixFile, header: Header) -> Qcow2Details:
    named = Qcow2Details(
        compat="0.10" if header.geometry.version == 2 else "1.1",
        compression_type=_COMPRESSION[header.compression_type],
        refcount_bits=header.geometry.refcount_bits,
        encryption="aes" if header.crypt_method == AES else None,
        bitmaps=bitmaps(file, header),
    )
    if header.geometry.version == 2:
        return named
    name = header.extension(DATA_FILE_NAME) if header.incompatible & DATA_FILE else None
    return attrs.evolve(
        named,
        lazy_refcounts=bool(header.compatible & LAZY_REFCOUNTS),
        corrupt=bool(header.incompatible & CORRUPT),
        extended_l2=header.geometry.extended_l2,
        data_file=None if name is None else name.decode("utf-8", "surrogateescape"),
        data_file_raw=bool(header.autoclear & DATA_FILE_RAW) if header.incompatible & DATA_FILE else None,
    )

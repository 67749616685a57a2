"""What people read of an image, line by line as qemu-img prints it."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from blockops.img.checking import Ending, ImageCheck
from blockops.img.directory import NANOSECONDS, Snapshot
from blockops.img.extents import Extent
from blockops.img.info import ImageInfo
from blockops.img.options import ImageOptions
from blockops.img.sizes import size_in_words


def info_lines(found: ImageInfo) -> Iterator[str]:
    """Yield the lines that tell of one image."""
    yield f"image: {found.filename}"
    yield f"file format: {found.format}"
    yield f"virtual size: {size_in_words(found.virtual_size)} ({found.virtual_size} bytes)"
    yield f"disk size: {size_in_words(found.actual_size)}"
    if found.encrypted:
        yield "encrypted: yes"
    if found.cluster_size is not None:
        yield f"cluster_size: {found.cluster_size}"
    if found.dirty:
        yield "cleanly shut down: no"
    yield from _backing_lines(found)
    if found.snapshots:
        yield "Snapshot list:"
        yield from snapshot_lines(found.snapshots)
    if found.details is not None:
        yield "Format specific information:"
        yield from _nested(found.details.as_json(), 1)


def _backing_lines(found: ImageInfo) -> Iterator[str]:
    if found.backing_filename is not None:
        full = found.full_backing_filename
        actual = "" if full == found.backing_filename else f" (actual path: {full})"
        yield f"backing file: {found.backing_filename}{actual}"
    if found.backing_format is not None:
        yield f"backing file format: {found.backing_format}"


def _nested(value: Any, depth: int) -> Iterator[str]:
    """Yield the lines of a dictionary or list of JSON, four spaces a level."""
    items = value.items() if isinstance(value, dict) else ((f"[{n}]", one) for n, one in enumerate(value))
    for key, inner in items:
        name = "    " * depth + key.replace("-", " ")
        if isinstance(inner, dict | list):
            yield f"{name}:"
            yield from _nested(inner, depth + 1)
        else:
            yield f"{name}: {str(inner).lower() if isinstance(inner, bool) else inner}"


def snapshot_lines(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    """Yield the table of internal snapshots."""
    yield f"{'ID':<10}{'TAG':<17}{'VM SIZE':>8}{'DATE':>20}{'VM CLOCK':>13}{'ICOUNT':>11}"
    for one in snapshots:
        date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.date))
        count = "" if one.icount is None else str(one.icount)
        size = size_in_words(one.vm_state_size)
        yield f"{one.id:<9} {one.name:<16} {size:>8}{date:>20}{_clock(one.vm_clock):>13}{count:>11}"


def _clock(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest // 1_000_000:03}"


def check_lines(found: ImageCheck) -> Iterator[str]:
    """Yield the lines that tell how a check ended."""
    if found.leaks_fixed or found.corruptions_fixed:
        yield "The following inconsistencies were found and repaired:"
        yield ""
        yield f"    {found.leaks_fixed} leaked clusters"
        yield f"    {found.corruptions_fixed} corruptions"
        yield ""
        yield "Double checking the fixed image now..."
    if found.ending is Ending.CLEAN:
        yield "No errors were found on the image."
    if found.corruptions:
        yield ""
        yield f"{len(found.corruptions)} errors were found on the image."
        yield "Data may be corrupted, or further writes to the image may corrupt it."
    if found.leaks:
        yield ""
        yield f"{len(found.leaks)} leaked clusters were found on the image."
        yield "This means waste of disk space, but no harm to data."
    if found.total_clusters and found.allocated_clusters:
        yield (
            f"{found.allocated_clusters}/{found.total_clusters} = "
            f"{_percent(found.allocated_clusters, found.total_clusters)} allocated, "
            f"{_percent(found.fragmented_clusters, found.allocated_clusters)} fragmented, "
            f"{_percent(found.compressed_clusters, found.allocated_clusters)} compressed clusters"
        )
    if found.image_end_offset:
        yield f"Image end offset: {found.image_end_offset}"


def _percent(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.2f}%"


MAP_HEAD = f"{'Offset':<16}{'Length':<16}{'Mapped to':<16}File"


def map_line(extent: Extent, filename: str) -> str:
    """Return the line for an extent that is in the file of this name."""
    numbers = (extent.start, extent.length, extent.offset or 0)
    return "".join(f"{hex(number) if number else '0':<16}" for number in numbers) + filename


def formatting_line(filename: str, format: str, options: ImageOptions) -> str:
    """Return the line that tells what a new image is like."""
    preallocation = () if options.preallocation is None else (("preallocation", options.preallocation),)
    return f"Formatting '{filename}', fmt={format} " + " ".join(
        f"{name}={str(value).replace(',', ',,')}"
        for name, value in (
            *(_before_size(options, preallocation) if format == "qcow2" else ()),
            ("size", options.size),
            *(_after_size(options) if format == "qcow2" else preallocation),
        )
        if value is not None
    )


_Named = tuple[str, str | int | None]


def _before_size(options: ImageOptions, preallocation: Sequence[_Named]) -> Sequence[_Named]:
    return (
        ("cluster_size", options.cluster_size),
        ("extended_l2", "on" if options.extended_l2 else "off"),
        *preallocation,
        ("compression_type", options.compression_type),
    )


def _after_size(options: ImageOptions) -> Sequence[_Named]:
    return (
        ("compat", options.compat),
        ("backing_file", options.backing_file),
        ("backing_fmt", options.backing_format),
        ("data_file", options.data_file),
        ("data_file_raw", "on" if options.data_file_raw else None),
        ("lazy_refcounts", "on" if options.lazy_refcounts else "off"),
        ("refcount_bits", options.refcount_bits),
    )

"""A check of an image in the terms of `qemu-img check`: figures, and one number that says how it ended."""

import enum
from typing import Any

import attrs

from blockops.errors import ImageError, UnsupportedFeature
from blockops.host.posix import PosixFolder
from blockops.img.clusters import Layout, layout
from blockops.img.opening import Layer, open_chain
from blockops.img.target import held
from blockops.qcow2.check import CheckReport, Finding, Verdict, check
from blockops.qcow2.header import CORRUPT, DIRTY, read_header
from blockops.qcow2.repair import repair


class Ending(enum.IntEnum):
    """How a check ended: the exit codes of qemu-img."""

    CLEAN = 0
    NOT_COMPLETED = 1
    CORRUPT = 2
    LEAKS = 3
    NOT_SUPPORTED = 63


_ENDINGS = {
    Verdict.CLEAN: Ending.CLEAN,
    Verdict.LEAKS: Ending.LEAKS,
    Verdict.CORRUPT: Ending.CORRUPT,
    Verdict.UNCHECKABLE: Ending.NOT_COMPLETED,
}


@attrs.frozen
class ImageCheck:
    """The result of a check; *ending* is `NOT_SUPPORTED` for a format in which nothing can be wrong.

    After a repair it is what is left; *unrepaired* says why nothing could be repaired.
    """

    filename: str
    format: str
    ending: Ending
    corruptions: tuple[Finding, ...] = ()
    leaks: tuple[Finding, ...] = ()
    image_end_offset: int = 0
    total_clusters: int = 0
    allocated_clusters: int = 0
    fragmented_clusters: int = 0
    compressed_clusters: int = 0
    leaks_fixed: int = 0
    corruptions_fixed: int = 0
    unrepaired: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints: of the figures those that are not zero."""
        figures = {
            "image-end-offset": self.image_end_offset,
            "corruptions": len(self.corruptions),
            "leaks": len(self.leaks),
            "corruptions-fixed": self.corruptions_fixed,
            "leaks-fixed": self.leaks_fixed,
            "total-clusters": self.total_clusters,
            "allocated-clusters": self.allocated_clusters,
            "fragmented-clusters": self.fragmented_clusters,
            "compressed-clusters": self.compressed_clusters,
        }
        named = {"filename": self.filename, "format": self.format, "check-errors": 0}
        return {**named, **{key: value for key, value in figures.items() if value}}


def check_image(
    folder: PosixFolder, filename: str, format: str | None = None, *, force_share: bool = False
) -> ImageCheck:
    """Check *filename*, whose backing chain must open, without changing anything.

    Raises `ImageError`, `UnsupportedFeature` or `HostError` where it cannot be opened or not be judged.
    """
    with open_chain(folder, filename, format, force_share=force_share) as chain:
        if chain.top.format == "raw":
            return ImageCheck(filename, "raw", Ending.NOT_SUPPORTED)
        return _judged(chain.top)


def repair_image(
    folder: PosixFolder, filename: str, format: str | None = None, *, leaks_only: bool = False
) -> ImageCheck:
    """Check *filename*, repair what is wrong (*leaks_only*: where that is all), and check it again.

    What cannot be repaired is left as it was found.  Errors as `check_image`.
    """
    with held(folder, filename), open_chain(folder, filename, format, force_share=True) as chain:
        if chain.top.format == "raw":
            return ImageCheck(filename, "raw", Ending.NOT_SUPPORTED)
        before = _judged(chain.top)
        header = read_header(chain.top.file)
        marked = header.incompatible & (DIRTY | CORRUPT)
        if before.ending is Ending.CLEAN and (leaks_only or not marked):
            return before
        return _repaired(folder, chain.top, before, leaks_only=leaks_only)


def _repaired(folder: PosixFolder, layer: Layer, before: ImageCheck, *, leaks_only: bool) -> ImageCheck:
    file = folder.open(layer.filename, writable=True)
    try:
        done = repair(file, leaks_only=leaks_only)
    except ImageError as error:
        return attrs.evolve(before, unrepaired=error.message)
    finally:
        file.close()
    after = _judged(layer)
    return attrs.evolve(after, leaks_fixed=done.leaks, corruptions_fixed=done.corruptions)


def _judged(layer: Layer) -> ImageCheck:
    report = check(layer.file)
    if report.unsupported is not None:
        raise UnsupportedFeature(layer.file.path, report.unsupported)
    if report.verdict is Verdict.UNCHECKABLE:
        problem = "; ".join(map(str, report.corruptions[:1])) or "it cannot be checked"
        raise ImageError(layer.file.path, "image", None, problem)
    lies = _layout(layer, report)
    return ImageCheck(
        filename=layer.filename,
        format=layer.format,
        ending=_ENDINGS[report.verdict],
        corruptions=report.corruptions,
        leaks=report.leaks,
        image_end_offset=report.image_end_offset,
        total_clusters=report.total_clusters,
        allocated_clusters=report.allocated_clusters,
        fragmented_clusters=lies.fragmented,
        compressed_clusters=lies.compressed,
    )


def _layout(layer: Layer, report: CheckReport) -> Layout:
    """Return how the clusters lie, as far as the tables can be read."""
    if report.header is None:
        return Layout(0, 0)
    try:
        return layout(layer.file, report.header)
    except ImageError:
        return Layout(0, 0)

"""A check of an image in the terms of `qemu-img check`: figures, and one number that says how it ended."""

import enum
from typing import Any

import attrs

from blockops.errors import ImageError, UnsupportedFeature
from blockops.host.posix import PosixFolder
from blockops.img.clusters import Layout, layout
from blockops.img.opening import Layer, open_chain
from blockops.qcow2.check import CheckReport, Finding, Verdict, check


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
    """The result of a check; *ending* is `NOT_SUPPORTED` for a format in which nothing can be wrong."""

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

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints: of the figures those that are not zero."""
        figures = {
            "image-end-offset": self.image_end_offset,
            "corruptions": len(self.corruptions),
            "leaks": len(self.leaks),
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

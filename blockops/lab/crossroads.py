"""What could be seen where an outcome was unknown, and which choices would have been right there.

A program sees the files (its notes and the configuration among them), the answers that it got unless it
is a new process, and what `query-block` says where the hypervisor lives.  It does not see what is in the
hypervisor's memory, nor what the guest was promised.

A choice gives every device an old image, or every one a new image.  It is right if each of these holds
what the guest is owed (law content, which after a crash is what was flushed).  An overlay that is not
there yet can be made, over an old image that holds it all; but it begins an instant of its own, so it
counts only where the point-in-time images are those of one instant then (law one-instant).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import attrs

from blockops.errors import BlockError
from blockops.graph.formats import Opening, backing_of, open_node, resolve_backing
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.evidence import Crossroads, Evidence, Shown
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.laws.atomicity import one_instant
from blockops.lab.laws.data import device_problems
from blockops.lab.reading import read_image
from blockops.lab.results import Verdict
from blockops.management.desk import Lost
from blockops.steps import run

Read = Callable[[str], Shown | None]
"""Reads the image at an absolute name as a device would that shows it now; None where there is none."""


def crossroads_after_crash(evidence: Evidence, disk: MemoryDisk) -> Crossroads:
    """Return what can be seen and chosen when the hypervisor is dead; a power cut takes the replies."""
    size = evidence.case.world.size

    def read(path: str) -> Shown | None:
        return read_image(disk, path, size) if disk.exists(path) else None

    return _crossroads(evidence, view_of(disk, evidence, replies=not evidence.power_lost), read)


def crossroads_with(hypervisor: Hypervisor, evidence: Evidence, replies: bool) -> Crossroads:
    """Return what can be seen and chosen while the hypervisor lives and carries nothing out."""
    disk, size = hypervisor.folder.disk, evidence.case.world.size
    folder = MemoryFolder(disk)

    def read(path: str) -> Shown | None:
        if not disk.exists(path):
            return None
        try:
            node = _as_if_shown(hypervisor, folder, path, frozenset())
            return Shown(path, data=node.read(0, min(size, node.size)), size=node.size)
        except BlockError as error:
            return Shown(path, problem=str(error))

    try:
        shown = run(hypervisor.connection.server.connect("the lab").execute({"execute": "query-block"}))
        return _crossroads(evidence, view_of(disk, evidence, replies=replies, shown=shown), read)
    finally:
        folder.close_all()


def _as_if_shown(hypervisor: Hypervisor, folder: MemoryFolder, path: str, above: frozenset[str]) -> ImageNode:
    """Return the node of an image: the hypervisor's own, which knows what is not written yet, if any."""
    live = hypervisor.machine.graph.opened(path)
    if live is not None or path in above:
        return live or open_node(Graph(), folder, path, None, _ALONE)
    node = open_node(Graph(), folder, path, None, _ALONE)
    recorded = backing_of(node)
    if recorded is not None:
        node.backing = _as_if_shown(hypervisor, folder, resolve_backing(path, recorded[0]), above | {path})
    return node


_ALONE = Opening(writable=False, backing=False, lock=False, share=False)


def view_of(disk: MemoryDisk, evidence: Evidence, *, replies: bool, shown: object = None) -> str:
    """Return a digest of what a program can see: all files, what is *shown*, and unless new, the replies."""
    told = [(one.command, str(one.answer or Lost())) for one in evidence.exchanges] if replies else []
    return hashlib.blake2b(f"{disk.digest()} {told} {shown}".encode(), digest_size=12).hexdigest()


def _crossroads(evidence: Evidence, view: str, read: Read) -> Crossroads:
    case = evidence.case
    expected = case.expectations
    whole = [
        _whole_images(evidence, number, {*one.old_tops, *one.new_tops}, read)
        for number, one in enumerate(expected)
    ]
    old = tuple(frozenset(one.old_tops) & found for one, found in zip(expected, whole, strict=True))
    new = tuple(frozenset(one.new_tops) & found for one, found in zip(expected, whole, strict=True))
    if not all(old) and not all(new):
        new = _with_new_overlays(evidence, read, whole, new)
    return Crossroads(view, old, new)


def _whole_images(evidence: Evidence, number: int, paths: set[str], read: Read) -> frozenset[str]:
    """Return those of the images of a device that hold all that its guest is owed."""
    shown = ((path, read(path)) for path in sorted(paths))
    return frozenset(
        path
        for path, image in shown
        if image is not None and next(device_problems(evidence, number, image, ""), None) is None
    )


def _with_new_overlays(
    evidence: Evidence, read: Read, whole: Sequence[frozenset[str]], new: Sequence[frozenset[str]]
) -> tuple[frozenset[str], ...]:
    """Return *new* with the overlays that could still be made, if the instants allow it."""
    disks = evidence.case.world.disks()
    made = [
        frozenset({disk.overlay}) if disk.old.path in found and read(disk.overlay) is None else frozenset()
        for disk, found in zip(disks, whole, strict=True)
    ]
    expected = evidence.case.expectations
    found = tuple(
        one | (extra & frozenset(wanted.new_tops))
        for one, extra, wanted in zip(new, made, expected, strict=True)
    )
    if not all(found):
        return tuple(new)
    instants = {number: shown.data for number, shown in enumerate(_left_behind(evidence, read)) if shown}
    judged = one_instant(attrs.evolve(evidence, instants=instants))
    return tuple(new) if judged.verdict is Verdict.VIOLATED else found


def _left_behind(evidence: Evidence, read: Read) -> Iterator[Shown | None]:
    for disk in evidence.case.world.disks():
        yield read(disk.old.path)

"""When a device began to be mirrored, and when it left a mirror for its target.

Neither is a file that could be read afterwards.  So whoever steps the hypervisor looks, after each step,
whether a device shows another node, and notes the time.  Any filter counts whose writes or copies go to a
second image: blkmirror, and the one that a mirror job puts in.
"""

import attrs

from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode, Node

Leg = tuple[str, str]
"""A device, and the absolute name of an image that it is or was mirrored onto."""


@attrs.define(eq=False)
class MirrorWatch:
    """Looks at the tops of one graph.

    *began*: since when a device is mirrored onto an image, as long as it is.  *left*: since when it shows
    the image that it was mirrored onto, the last time that it came to that.
    """

    graph: Graph
    began: dict[Leg, int] = attrs.field(factory=dict)
    left: dict[Leg, int] = attrs.field(factory=dict)
    _tops: list[Node | None] = attrs.field(factory=list)
    _seen: dict[str, Node | None] = attrs.field(factory=dict)
    _targets: dict[str, tuple[str, ...]] = attrs.field(factory=dict)

    def look(self, now: int) -> None:
        """Note what has changed since the last look."""
        tops = list(self.graph.tops.values())
        if tops == self._tops:
            return
        self._tops = tops
        for name, top in self.graph.tops.items():
            if self._seen.get(name) is not top:
                self._seen[name] = top
                self._changed(name, top, now)

    def _changed(self, name: str, top: Node | None, now: int) -> None:
        targets = () if top is None else targets_of(top)
        for target in targets:
            self.began.setdefault((name, target), now)
            self.left.pop((name, target), None)
        for leg in [leg for leg in self.began if leg[0] == name and leg[1] not in targets]:
            del self.began[leg]
        if top is None:  # between two images (close, then open): what it left may yet come
            return
        if top.source.path in self._targets.get(name, ()) and top.source.path not in targets:
            self.left[name, top.source.path] = now
        self._targets[name] = targets


def targets_of(top: Node) -> tuple[str, ...]:
    """Return the images, by their absolute names, that the filters on top of a device lead to besides."""
    found: list[str] = []
    while not isinstance(top, ImageNode):
        top, *others = top.below
        found += [other.source.path for other in others]
    return tuple(found)

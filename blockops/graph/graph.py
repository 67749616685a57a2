"""The graph of one machine: which node each device shows, and which nodes are open.

A node is open as long as a device's top or a plan leads to it; `collect` closes the others.
"""

from collections.abc import Iterator
from typing import Final

import attrs

from blockops.errors import BlockError, ImageError
from blockops.graph.change import Plan
from blockops.graph.node import ImageNode, Node

# Every image of a chain takes its part of Python's stack when a read passes through it: 250 of them would
# overflow it.  libvirt draws the line here too.
MAX_CHAIN: Final = 200


@attrs.define(eq=False)
class Graph:
    """Nodes, and the top that each device shows."""

    tops: dict[str, Node | None] = attrs.field(factory=dict)
    plans: list[Plan] = attrs.field(factory=list)
    _open: list[ImageNode] = attrs.field(factory=list)
    _serial: int = 0

    def new_name(self) -> str:
        """Return a node name that was never used in this graph."""
        self._serial += 1
        return f"#block{self._serial}"

    def adopt(self, node: ImageNode) -> None:
        """Take charge of closing *node*."""
        self._open.append(node)

    def plan(self) -> Plan:
        """Return a new, empty plan."""
        plan = Plan(self)
        self.plans.append(plan)
        return plan

    def show(self, device: str, node: Node | None) -> None:
        """Let *device* show *node*; nothing where the device is gone."""
        if device in self.tops:
            self.tops[device] = node

    def opened(self, path: str) -> ImageNode | None:
        """Return the node that has the file *path* (absolute) open, if one has."""
        return next((node for node in self._open if node.path == path), None)

    def open_nodes(self) -> tuple[ImageNode, ...]:
        """Return the image nodes that are open, oldest first."""
        return tuple(self._open)

    def chain(self, device: str) -> tuple[Node, ...]:
        """Return what *device* shows and everything that a reader passes below it, top first."""
        return tuple(reading_path(self.tops.get(device)))

    def collect(self) -> tuple[BlockError, ...]:
        """Close the image nodes that nothing leads to; return the errors of closing, newest node first."""
        alive = self._alive()
        unwanted = [node for node in self._open if id(node) not in alive]
        self._open = [node for node in self._open if id(node) in alive]
        return tuple(error for node in reversed(unwanted) if (error := _closing_error(node)) is not None)

    def _alive(self) -> set[int]:
        roots = [top for top in self.tops.values() if top is not None]
        for plan in self.plans:
            roots.extend(plan.nodes())
        return {id(node) for root in roots for node in everything_below(root)}


def everything_below(node: Node) -> Iterator[Node]:
    """Yield *node* and all that hangs below it, each once."""
    waiting, met = [node], {id(node)}
    while waiting:
        current = waiting.pop()
        yield current
        # Mirrors share what is below them: snapshot after mirror after snapshot doubles the ways down.
        for below in current.below:
            if id(below) not in met:
                met.add(id(below))
                waiting.append(below)


def reading_path(node: Node | None) -> Iterator[Node]:
    """Yield the nodes that a read may pass, top first: of a mirror the source only."""
    while node is not None:
        yield node
        node = node.below[0] if node.below else None


def refuse_long_chain(path: str, above: int, node: Node | None) -> None:
    """Raise `ImageError` for *path* where *above* nodes over *node* would be more than `MAX_CHAIN`."""
    if above + sum(1 for _ in reading_path(node)) > MAX_CHAIN:
        raise ImageError(path, "backing chain", None, f"it would have more than {MAX_CHAIN} images")


def _closing_error(node: ImageNode) -> BlockError | None:
    try:
        node.close()
    except BlockError as error:
        return error
    return None

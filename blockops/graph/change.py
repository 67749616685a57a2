"""Changes to the graph are prepared, then committed together or abandoned.

A change swaps the node that a device shows.  It is prepared with all that can fail already done (files
created and opened), so that committing is an assignment in memory and cannot fail.  A plan keeps the
nodes that it has prepared alive until it is committed or abandoned.
"""

import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias, assert_never

import attrs

from blockops.graph.blkmirror import MirrorNode
from blockops.graph.node import ImageNode, Node

if TYPE_CHECKING:
    from blockops.graph.graph import Graph


@attrs.frozen
class Append:
    """Put *overlay* on top of whatever the device shows when the change is committed."""

    device: str
    overlay: ImageNode


@attrs.frozen
class Mirror:
    """Put a blkmirror to *target* on top of whatever the device shows when the change is committed.

    *shares_backing*: the target gets, in memory, the backing that the source then has (blkmirror of
    2012: what the base held is copied by somebody else).
    """

    device: str
    target: ImageNode
    shares_backing: bool = False


@attrs.frozen
class Replace:
    """Show *node* instead of whatever the device shows; None takes the medium out."""

    device: str
    node: Node | None


@attrs.frozen
class Promote:
    """Show *node*, which is open below the device already, and hang it over *backing*.

    What it reads through while it is further down (a mirror's target shares its source's backing) need
    not be what its own header records.
    """

    device: str
    node: ImageNode
    backing: Node | None


Change: TypeAlias = Append | Mirror | Replace | Promote


class PlanState(enum.Enum):
    """Where a plan stands; only a prepared one can be committed."""

    PREPARED = "prepared"
    COMMITTED = "committed"
    ABANDONED = "abandoned"


@attrs.define(eq=False)
class Plan:
    """Prepared changes of one graph, not yet visible to any device."""

    graph: "Graph"
    changes: list[Change] = attrs.field(factory=list)
    state: PlanState = PlanState.PREPARED
    _before: list[tuple[str, Node | None]] = attrs.field(factory=list)
    _hung: list[tuple[ImageNode, Node | None]] = attrs.field(factory=list)

    def add(self, change: Change) -> None:
        """Add a change behind the others."""
        self.changes.append(change)

    def nodes(self) -> list[Node]:
        """Return the nodes that the plan keeps alive: those to be shown, and those to come back to."""
        wanted = [node for change in self.changes for node in _new_nodes(change)]
        wanted += [node for _, node in self._before]
        wanted += [node for _, node in self._hung]
        return [node for node in wanted if node is not None]

    def commit(self) -> Iterator[Change]:
        """Make the changes visible in their order, yielding after each; nothing here can fail."""
        assert self.state is PlanState.PREPARED, f"a plan that is {self.state.value} was committed"
        for change in self.changes:
            self._before.append((change.device, self.graph.tops[change.device]))
            self._apply(change)
            yield change
        self.state = PlanState.COMMITTED

    def revert(self) -> None:
        """Show again, in reverse order, what each device showed before; harmless before a commit.

        A device that is gone meanwhile does not come back.
        """
        for device, node in reversed(self._before):
            self.graph.show(device, node)
        for promoted, backing in reversed(self._hung):
            promoted.backing = backing
        self._before.clear()
        self._hung.clear()

    def settle(self) -> None:
        """Let go of the way back: the plan is over, and the graph may close what nobody shows."""
        self._before.clear()
        self._hung.clear()
        self.changes.clear()
        self.graph.plans.remove(self)

    def abandon(self) -> None:
        """Undo what was committed, if anything, and close what was prepared."""
        self.revert()
        self.state = PlanState.ABANDONED
        self.settle()
        self.graph.collect()

    def _apply(self, change: Change) -> None:
        tops = self.graph.tops
        match change:
            case Append(device, overlay):
                overlay.backing = tops[device]
                tops[device] = overlay
            case Mirror(device, target, shares_backing):
                upper = tops[device]
                assert upper is not None, "a mirror is prepared over a medium"
                if shares_backing:
                    target.backing = upper.source.backing
                tops[device] = MirrorNode(self.graph.new_name(), upper, target)
            case Replace(device, shown):
                tops[device] = shown
            case Promote(device, node, backing):
                self._hung.append((node, node.backing))
                node.backing = backing
                tops[device] = node
            case _:
                assert_never(change)


def _new_nodes(change: Change) -> tuple[Node | None, ...]:
    match change:
        case Append(_, overlay):
            return (overlay,)
        case Mirror(_, target, _):
            return (target,)
        case Replace(_, node):
            return (node,)
        case Promote(_, promoted, backing):
            return (promoted, backing)
        case _:
            assert_never(change)

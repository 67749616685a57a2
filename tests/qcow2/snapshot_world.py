"""An image, its guest and its snapshots taking turns, and what each of them must show."""

import attrs
from hypothesis import strategies as st

from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import Action, Step, expect, perform, steps

WRITES: tuple[Action, ...] = ("write", "write", "compress", "zero", "discard", "flush")


@attrs.frozen
class Turn:
    """A guest's step, or a verb of snapshots and which of them it takes."""

    verb: str
    number: int
    step: Step


turns = st.lists(
    st.builds(
        Turn,
        verb=st.sampled_from(["guest", "guest", "guest", "create", "create", "apply", "delete", "reopen"]),
        number=st.integers(0, 9),
        step=steps(WRITES),
    ),
    max_size=14,
)


@attrs.define
class World:
    """An image, what it shows, and what its snapshots do."""

    file: BytesFile
    image: Qcow2Image
    model: bytearray
    kept: dict[str, bytes]
    taken: int = 0

    def chosen(self, turn: Turn) -> str:
        return list(self.kept)[turn.number % len(self.kept)]

    def do(self, turn: Turn) -> None:
        """Do a turn, then to the model."""
        cluster_size = self.image.header.geometry.cluster_size
        if turn.verb == "guest":
            perform(turn.step, self.image)
            expect(turn.step, self.model, cluster_size)
        elif turn.verb == "create":
            name = f"s{self.taken}"
            self.taken += 1
            self.image.snapshots.create(name)
            self.kept[name] = bytes(self.model)
        elif turn.verb == "reopen":
            self.image.close()
            self.file.closed = False
            self.image = Qcow2Image.open(self.file, writable=True)
        elif self.kept and turn.verb == "apply":
            self.image.snapshots.apply(self.chosen(turn))
            self.model[:] = self.kept[self.chosen(turn)]
        elif self.kept:
            name = self.chosen(turn)
            self.image.snapshots.delete(name)
            del self.kept[name]

    def assert_right(self) -> None:
        """Everything is as in the model, and clean once it is flushed."""
        assert self.image.read(0, self.image.size) == self.model
        self.image.flush()
        report = check(self.file)
        assert (report.unsupported, report.corruptions, report.leaks) == (None, (), ())
        for name, data in self.kept.items():
            assert Qcow2Image.open(self.file, writable=False, snapshot=name).read(0, len(data)) == data


def begin(version: int = 3, cluster_size: int = 512, refcount_bits: int = 16) -> World:
    file = BytesFile()
    create(file, size=100 * 512, cluster_size=cluster_size, version=version, refcount_bits=refcount_bits)
    file.durable = bytes(file.content)
    return World(file, Qcow2Image.open(file, writable=True), bytearray(100 * 512), {})


NOTHING = Step("flush", 0, 0, 1)
BUSY = [
    Turn("guest", 0, Step("write", 0, 500, 3)),
    Turn("guest", 0, Step("compress", 600, 200, 9)),
    Turn("create", 0, NOTHING),
    Turn("guest", 0, Step("write", 200, 600, 5)),
    Turn("create", 0, NOTHING),
    Turn("guest", 0, Step("discard", 100, 100, 4)),
    Turn("apply", 0, NOTHING),
    Turn("guest", 0, Step("write", 0, 100, 7)),
    Turn("delete", 0, NOTHING),
    Turn("guest", 0, Step("write", 0, 900, 8)),
]

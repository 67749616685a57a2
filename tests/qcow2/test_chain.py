"""An image and a chain of up to four against flat bytes: whatever a guest does, it reads what it wrote."""

from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blockops.qcow2 import mapping, refcounts
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import CLUSTER_SIZES, Step, expect, extent, perform, steps

DEEPEST = 4


class Chain(RuleBasedStateMachine):
    """The top of a chain is written; every layer below is fixed when an overlay is put on it."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[BytesFile] = []
        self.models: list[bytearray] = []
        self.fixed: list[int] = []
        # Small caches, so that small images evict.
        self.patches = [
            mock.patch.multiple(mapping, CACHE_BYTES=0, FEWEST_TABLES=2),
            mock.patch.multiple(refcounts, CACHE_BYTES=0, FEWEST_BLOCKS=2),
        ]
        for patch in self.patches:
            patch.start()

    def teardown(self) -> None:
        for patch in self.patches:
            patch.stop()

    @initialize(
        sectors=st.integers(0, 900), size=st.sampled_from(CLUSTER_SIZES), version=st.sampled_from([2, 3])
    )
    def start(self, sectors: int, size: int, version: int) -> None:
        self.add_layer(sectors * 512, size, version)

    def add_layer(self, size: int, cluster_size: int, version: int) -> None:
        file = BytesFile(path=f"/vm/{len(self.files)}.qcow2")
        backing = self.files[-1].path if self.files else None
        create(file, size=size, cluster_size=cluster_size, version=version, backing_file=backing)
        below = self.models[-1] if self.models else b""
        self.files.append(file)
        self.models.append(bytearray(below[:size].ljust(size, b"\0")))
        self.open_all()

    def open_all(self) -> None:
        image = None
        for file in self.files:
            file.closed = False
            image = Qcow2Image.open(file, writable=file is self.files[-1], backing=image)
        assert image is not None
        self.top = image

    @precondition(lambda self: len(self.files) < DEEPEST)
    @rule(sectors=st.integers(0, 900), size=st.sampled_from(CLUSTER_SIZES), version=st.sampled_from([2, 3]))
    def snapshot(self, sectors: int, size: int, version: int) -> None:
        self.top.close()
        self.fixed.append(len(self.files[-1].changes))
        self.add_layer(sectors * 512, size, version)

    @rule(step=steps())
    def change(self, step: Step) -> None:
        cluster_size = self.top.header.geometry.cluster_size
        if len(self.models[-1]) < 1 << 20 or step.action != "grow":
            perform(step, self.top)
            expect(step, self.models[-1], cluster_size)

    @rule(step=steps(("read",)))
    def read_part(self, step: Step) -> None:
        offset, length = extent(step, self.top.size, 512)
        assert self.top.read(offset, length) == self.models[-1][offset : offset + length]

    @rule()
    def reopen(self) -> None:
        self.top.close()
        assert self.files[-1].closed
        self.open_all()
        self.read_all()

    @rule()
    def read_all(self) -> None:
        assert self.top.size == len(self.models[-1])
        assert self.top.read(0, self.top.size) == self.models[-1]

    @rule()
    def close_and_check(self) -> None:
        self.top.close()
        for file in self.files:
            file.closed = False
            report = check(file)
            assert not report.corruptions
            assert not report.leaks
        self.open_all()

    @invariant()
    def nothing_below_is_written(self) -> None:
        assert [len(file.changes) for file in self.files[:-1]] == self.fixed


TestChain = Chain.TestCase
TestChain.settings = settings(max_examples=120, stateful_step_count=40)

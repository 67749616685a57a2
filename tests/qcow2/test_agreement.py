"""Random images of all kinds, random work on them, and the real tool's word: clean, and equal.

A sequence is made by its number alone.  A few are tried by default; BLOCKOPS_SEQUENCES=10000 tries so many,
BLOCKOPS_FIRST_SEQUENCE says from which on.
"""

import contextlib
import os
import random
from pathlib import Path

import attrs
import pytest

from blockops.errors import UnsupportedFeature
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.preallocation import preallocate
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import Step, expect, pattern, perform
from tests.qcow2.real import Tool, agree, contents

SECTORS = 300
FIRST = int(os.environ.get("BLOCKOPS_FIRST_SEQUENCE", "0"))
SEQUENCES = range(FIRST, FIRST + int(os.environ.get("BLOCKOPS_SEQUENCES", "120")))
PIECES = 12


class Flat:
    """A raw base in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


@attrs.define
class Sequence:
    """One image, what is done to it, and what it and its snapshots must show."""

    chance: random.Random
    folder: Path
    file: BytesFile = attrs.field(factory=BytesFile)
    data: BytesFile = attrs.field(factory=BytesFile)
    base: Flat | None = None
    options: dict[str, object] = attrs.field(factory=dict)
    kept: dict[str, bytes] = attrs.field(factory=dict)
    model: bytearray = attrs.field(factory=bytearray)

    def make(self) -> None:
        """Create an image with options by chance."""
        chance = self.chance
        version = chance.choice((2, 3, 3, 3))
        cluster_size = chance.choice((512, 512, 1024, 4096, 16384, 65536))
        options: dict[str, object] = {"version": version, "cluster_size": cluster_size}
        size = chance.randrange(1, SECTORS) * 512
        if version == 3:
            options["refcount_bits"] = chance.choice((1, 2, 4, 8, 16, 16, 32, 64))
            options["compression_type"] = chance.choice(("zlib", "zstd"))
            options["lazy_refcounts"] = chance.random() < 0.2
            options["extended_l2"] = cluster_size >= 16384 and chance.random() < 0.7
            if chance.random() < 0.2:
                options["data_file"] = str(self.folder / "data.raw")
                options["data_file_raw"] = chance.random() < 0.4
        if not options.get("data_file_raw") and chance.random() < 0.4:
            self.base = Flat(pattern(77, chance.randrange(1, 2 * SECTORS) * 512))
            options |= {"backing_file": "base.raw", "backing_format": "raw"}
        self.options = options
        create(self.file, size=size, **options)  # type: ignore[arg-type]  # as chosen
        allowed = self.base is None or options.get("extended_l2")
        if options.get("data_file_raw") or (allowed and chance.random() < 0.15):
            mode = chance.choice(("metadata", "full"))
            preallocate(self.file, mode, data_file=self.data if "data_file" in options else None)
        self.model = bytearray((self.base.data if self.base else b"")[:size].ljust(size, b"\0"))

    def work(self) -> None:
        """Do a dozen things to it."""
        image = self.opened()
        for _ in range(self.chance.randrange(1, 14)):
            if self.chance.random() < 0.12:
                image.close()
                image = self.opened()
            self.one(image)
            assert image.read(0, image.size) == self.model
        image.close()

    def opened(self) -> Qcow2Image:
        self.file.closed = self.data.closed = False
        return Qcow2Image.open(self.file, writable=True, backing=self.base, data_file=lambda _: self.data)

    def one(self, image: Qcow2Image) -> None:
        chance, inside = self.chance, "data_file" not in self.options
        snapshots = inside and self.options.get("refcount_bits") not in (1, 2)
        if snapshots and chance.random() < 0.25:
            self.snapshot(image)
            return
        verbs = ["write", "write", "write", "zero", "discard", "flush", *(["compress"] * 2 if inside else [])]
        if not self.kept or self.options["version"] == 3:
            verbs.append("grow")
        action = chance.choice(verbs)
        where, seed = chance.randrange(1000), chance.randrange(1, 251)
        step = Step(action, where, chance.choice((chance.randrange(40), chance.randrange(1000))), seed)  # type: ignore[arg-type]
        perform(step, image)
        expect(step, self.model, image.header.geometry.cluster_size)

    def snapshot(self, image: Qcow2Image) -> None:
        """Take, apply or delete one; where a count is not wide enough for that, nothing has changed."""
        with contextlib.suppress(UnsupportedFeature):
            self.snapshot_or_refuse(image)

    def snapshot_or_refuse(self, image: Qcow2Image) -> None:
        verb = self.chance.choice(("create", "create", "apply", "delete"))
        if verb == "create":
            name = f"s{len(self.kept)}-{self.chance.randrange(1 << 30)}"
            image.snapshots.create(name)
            self.kept[name] = bytes(self.model)
        elif self.kept:
            name = self.chance.choice(sorted(self.kept))
            if verb == "apply":
                image.snapshots.apply(name)
                self.model[:] = self.kept[name]
            else:
                image.snapshots.delete(name)
                del self.kept[name]


def judge(number: int, folder: Path, real_tool: Tool) -> None:
    sequence = Sequence(random.Random(number), folder)
    sequence.make()
    sequence.work()
    path = folder / "i.qcow2"
    path.write_bytes(sequence.file.content)
    (folder / "data.raw").write_bytes(sequence.data.content)
    if sequence.base is not None:
        (folder / "base.raw").write_bytes(sequence.base.data)
    agree(real_tool, path)
    assert contents(real_tool, path) == sequence.model
    if sequence.kept:
        name = sequence.chance.choice(sorted(sequence.kept))
        shown = contents(real_tool, path, "-l", f"snapshot.name={name}")
        both = min(len(shown), len(sequence.kept[name]))
        assert shown[:both] == sequence.kept[name][:both]
    assert not sequence.options.get("data_file_raw") or sequence.data.content == sequence.model


@pytest.mark.real_tool("qemu-img", "zstandard")
@pytest.mark.parametrize("piece", range(PIECES))
def test_the_real_tool_agrees_on_whatever_we_have_done(tmp_path: Path, real_tool: Tool, piece: int) -> None:
    for number in SEQUENCES[piece::PIECES]:
        try:
            judge(number, tmp_path, real_tool)
        except Exception as error:
            error.add_note(f"BLOCKOPS_FIRST_SEQUENCE={number} BLOCKOPS_SEQUENCES=1")
            raise

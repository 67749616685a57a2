"""What a guest does to an image, as data that Hypothesis draws, and the flat bytes it must find after."""

from typing import Literal

import attrs
from hypothesis import strategies as st

from blockops.qcow2.image import Qcow2Image
from blockops.units import SECTOR

CLUSTER_SIZES = (512, 1024, 4096, 65536)


Action = Literal["read", "write", "compress", "zero", "discard", "flush", "grow"]
MOSTLY_WRITES: tuple[Action, ...] = (
    *("write", "write", "write", "compress"),
    *("zero", "discard", "flush", "grow"),
)


@attrs.frozen
class Step:
    """One guest operation; *where* and *amount* are fractions of the disk, so they fit any size."""

    action: Action
    where: int
    amount: int
    seed: int


def steps(actions: tuple[Action, ...] = MOSTLY_WRITES) -> st.SearchStrategy[Step]:
    return st.builds(
        Step,
        action=st.sampled_from(actions),
        where=st.integers(0, 999),
        amount=st.one_of(st.integers(0, 40), st.integers(0, 999)),
        seed=st.integers(1, 250),
    )


def pattern(seed: int, length: int) -> bytes:
    """Return bytes that differ by seed and place."""
    ramp = bytes((seed + step) % 255 + 1 for step in range(255))
    return (ramp * (length // 255 + 1))[:length]


def extent(step: Step, size: int, cluster_size: int) -> tuple[int, int]:
    """Return offset and length: whole clusters for even seeds and compressed data, any for odd ones."""
    offset = size * step.where // 1000
    length = (size - offset) * step.amount // 1000
    if step.seed % 2 == 0 or step.action == "compress":
        offset = offset // cluster_size * cluster_size
        length = min(size - offset, -(-length // cluster_size) * cluster_size)
    return offset, length


def perform(step: Step, image: Qcow2Image) -> None:
    """Do the step to the image."""
    offset, length = extent(step, image.size, image.header.geometry.cluster_size)
    match step.action:
        case "read":
            image.read(offset, length)
        case "write":
            image.write(offset, pattern(step.seed, length))
        case "compress":
            image.write_compressed(offset, pattern(step.seed, length))
        case "zero":
            image.write_zeroes(offset, length)
        case "discard":
            image.discard(offset, length)
        case "flush":
            image.flush()
        case "grow":
            image.resize(grown(step, image.size))


def expect(step: Step, model: bytearray, cluster_size: int) -> None:
    """Do the step to the model."""
    offset, length = extent(step, len(model), cluster_size)
    match step.action:
        case "read" | "flush":
            pass
        case "write" | "compress":
            model[offset : offset + length] = pattern(step.seed, length)
        case "zero" | "discard":
            model[offset : offset + length] = bytes(length)
        case "grow":
            model.extend(bytes(grown(step, len(model)) - len(model)))


def grown(step: Step, size: int) -> int:
    """Return the size after a growing step."""
    return size + (step.amount + 1) * SECTOR

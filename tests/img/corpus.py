"""Images as the real tools make them, with all the options that the format has.

A recipe is a list of commands, run in an empty folder, that leaves the image `image` there.
"""

import shlex
from collections.abc import Callable

import attrs

from tests.img.tools import done

Tool = Callable[[str], str]

PATTERNS = "-c 'write -P 1 1000 70000' -c 'write -P 2 130048 512' -c 'write -P 3 300k 100k'"
ZEROES = "-c 'write -z 64k 8k' -c 'write -z -u 320k 16k' -c 'discard 12k 20k' -c 'write -z 360k 64k'"
WORK = f"qemu-io {PATTERNS} {ZEROES} image"
CREATE = "qemu-img create -q -f qcow2"
SNAPSHOT = "qemu-img snapshot -c"
SECRET = "--object secret,id=s,data=key"


@attrs.frozen
class Recipe:
    """How an image is made; *lacks* names what our core cannot read of it."""

    name: str
    commands: tuple[str, ...]
    lacks: str | None = None

    def make(self, tool: Tool) -> None:
        """Run the commands in the working folder."""
        for command in self.commands:
            program, *rest = shlex.split(command)
            done(tool(program), *rest)


def _worked(name: str, options: str, size: str = "640k", lacks: str | None = None) -> Recipe:
    given = f"-o {options}" if options else ""
    return Recipe(name, (f"{CREATE} {given} image {size}", WORK), lacks)


SINGLE = (
    *(_worked(f"clusters-{size}", f"cluster_size={size}") for size in ("512", "1k", "4k", "64k", "2M")),
    *(_worked(f"v2-clusters-{size}", f"compat=0.10,cluster_size={size}") for size in ("512", "4k", "64k")),
    *(_worked(f"refcount-bits-{1 << n}", f"refcount_bits={1 << n},cluster_size=1k") for n in range(7)),
    _worked("lazy-refcounts", "lazy_refcounts=on,cluster_size=4k"),
    _worked("zstd-without-compressed", "compression_type=zstd"),
    _worked("odd-size", "cluster_size=4k", size="600001"),
    _worked("preallocated-metadata", "preallocation=metadata,cluster_size=4k"),
    _worked("preallocated-falloc", "preallocation=falloc"),
    _worked("preallocated-full", "preallocation=full"),
    _worked("extended-l2", "extended_l2=on"),
    Recipe("empty", (f"{CREATE} image 1M",)),
    Recipe("of-size-0", (f"{CREATE} image 0",)),
    Recipe("large", (f"{CREATE} image 1T", "qemu-io -c 'write -P 7 777G 1M' image")),
    Recipe(
        "compressed",
        (f"{CREATE} -o cluster_size=4k image 64k", "qemu-io -c 'write -c -P 5 0 4k' -c 'write 8k 4k' image"),
        lacks="compressed clusters",
    ),
    Recipe("data-file", (f"{CREATE} -o data_file=d image 1M", WORK)),
    Recipe("data-file-raw", (f"{CREATE} -o data_file=d,data_file_raw=on image 1M",)),
    Recipe("aes", (f"{CREATE} {SECRET} -o encrypt.format=aes,encrypt.key-secret=s image 1M",), lacks="AES"),
    Recipe(
        "snapshots",
        (f"{CREATE} image 640k", WORK, f"{SNAPSHOT} first image", WORK, f"{SNAPSHOT} the-second-one image"),
    ),
    Recipe("snapshot-v2", (f"{CREATE} -o compat=0.10 image 640k", WORK, f"{SNAPSHOT} a image")),
    Recipe(
        "bitmaps",
        (
            f"{CREATE} image 640k",
            "qemu-img bitmap --add image b0",
            "qemu-img bitmap --add -g 512 image second",
            "qemu-img bitmap --disable image b0",
            WORK,
        ),
    ),
    Recipe("raw", ("qemu-img create -q -f raw image 640k", WORK.replace("qemu-io", "qemu-io -f raw"))),
    Recipe("raw-odd", ("qemu-img create -q -f raw image 600001",)),
    Recipe("raw-of-size-0", ("qemu-img create -q -f raw image 0",)),
)

BASE = f"{CREATE} base 640k"
WRITE_BASE = "qemu-io -c 'write -P 9 0 200k' -c 'write -z 256k 64k' -c 'write -P 8 500k 100k' base"
MIDDLE = f"{CREATE} -b base -F qcow2 middle"
WRITE_MIDDLE = "qemu-io -c 'write -P 11 100k 60k' -c 'write -z 520k 70k' middle"

PLAIN_CHAINS = (
    Recipe("overlay", (BASE, WRITE_BASE, f"{CREATE} -b base -F qcow2 image", WORK)),
    Recipe("overlay-empty", (BASE, WRITE_BASE, f"{CREATE} -b base -F qcow2 image")),
    Recipe("overlay-v2", (BASE, WRITE_BASE, f"{CREATE} -b base -F qcow2 -o compat=0.10 image", WORK)),
    Recipe(
        "chain-of-3", (BASE, WRITE_BASE, MIDDLE, WRITE_MIDDLE, f"{CREATE} -b middle -F qcow2 image", WORK)
    ),
    Recipe("overlay-longer", (BASE, WRITE_BASE, f"{CREATE} -b base -F qcow2 image 1M", WORK)),
    Recipe("overlay-shorter", (BASE, WRITE_BASE, f"{CREATE} -b base -F qcow2 image 520k", WORK)),
    Recipe(
        "overlay-over-raw",
        (
            "qemu-img create -q -f raw base 300001",
            "qemu-io -f raw -c 'write -P 4 9k 200k' base",
            f"{CREATE} -b base -F raw image 640k",
            WORK,
        ),
    ),
    Recipe(
        "overlay-of-small-clusters",
        (BASE, WRITE_BASE, f"{CREATE} -o cluster_size=4k -b base -F qcow2 image", WORK),
    ),
)

JSON = (
    '{"driver":"qcow2","file":{"driver":"file","filename":"base"}}',
    '{"driver":"qcow2","file.filename":"base"}',
)
DESCRIBED = tuple(
    Recipe(
        f"overlay-described-{number}",
        (BASE, WRITE_BASE, f"{CREATE} -b 'json:{text}' -F qcow2 image", WORK),
    )
    for number, text in enumerate(JSON)
)
CHAINS = (*PLAIN_CHAINS, *DESCRIBED)

CORPUS = (*SINGLE, *CHAINS)

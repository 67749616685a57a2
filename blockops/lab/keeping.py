"""The files of a case as real files, which QEMU's own tools can open.

In the lab's world all names begin with /vm, and images name what they rest on by such names.  Outside
there is no /vm: in a copy each backing name below it is written relative to the image that says it, into
the place of the old name; nothing else of any file differs.  Real images that were given stay where they
are and keep their names.
"""

import os
import posixpath

import attrs

from blockops.errors import BlockError
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.memory_file import MemoryFile
from blockops.host.posix import PosixFolder
from blockops.lab.world import ROOT
from blockops.qcow2.header import encode_fields, read_header


def write_out(disk: MemoryDisk, folder: str | os.PathLike[str]) -> list[str]:
    """Write all files of *disk* into the empty real *folder*, sparse; return their names relative to it.

    Raises `HostError`.  Nothing outside of *folder* is written to or read.
    """
    copy = disk.fork()
    for path in copy.names(ROOT):
        if not copy.content("open", path).read_only:
            _make_relative(copy, path)
    return copy.export_all(ROOT, PosixFolder(folder))


def _make_relative(disk: MemoryDisk, path: str) -> None:
    file = MemoryFolder(disk, "/").open(path, writable=True)
    try:
        _rewrite(file, path)
    except BlockError:
        return  # no qcow2 image, or too broken to say what it rests on: it stays as it is
    finally:
        file.close()


def _rewrite(file: MemoryFile, path: str) -> None:
    header = read_header(file)
    name = posixpath.normpath(header.backing_file or "")
    if not name.startswith(f"{ROOT}/"):
        return
    relative = posixpath.relpath(name, posixpath.dirname(path))
    if header.backing_offset + len(os.fsencode(relative)) > header.geometry.cluster_size:
        return
    file.write(0, encode_fields(attrs.evolve(header, backing_file=relative)))
    file.write(header.backing_offset, os.fsencode(relative))

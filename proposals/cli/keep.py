"""`blockops replay --keep DIR`: what a case leaves on the disk, as real files in a folder of their own.

    DIR/images      of a case in which the hypervisor lived: what its end left, all written out
    DIR/crashed     of one in which it was killed: what the kill or power cut left, unrecovered
    DIR/recovered   the same after management's recovery and the restart

The folder must be new or empty, and is tried before the case is run.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from blockops.errors import HostError
from blockops.host.memory import MemoryDisk
from blockops.lab.keeping import write_out
from blockops.lab.replay import Replayed
from proposals.cli.exits import CannotWrite, Unusable
from proposals.cli.folder import output_folder


@contextmanager
def keeping(path: Path | None) -> Iterator[Callable[[Replayed], list[str]]]:
    """Yield what writes a case's files into *path* and returns a sentence for each folder and one more.

    Without *path* it writes nothing and has nothing to say.  Raises Unusable where *path* is not empty,
    CannotWrite where it cannot be written.
    """
    if path is None:
        yield lambda replayed: []
        return
    with output_folder(path):
        _refuse_what_is_there(path)
        yield lambda replayed: _kept(_disks(replayed), path)


def _refuse_what_is_there(path: Path) -> None:
    if any(path.iterdir()):
        raise Unusable(f"{path}: is not empty, and --keep writes into no folder that holds something")


def _disks(replayed: Replayed) -> Mapping[str, MemoryDisk]:
    if replayed.crashed is None:
        return {"images": replayed.evidence.disk}
    return {"crashed": replayed.crashed, "recovered": replayed.evidence.disk}


def _kept(disks: Mapping[str, MemoryDisk], path: Path) -> list[str]:
    made: list[Path] = []
    said = []
    try:
        for name, disk in disks.items():
            (path / name).mkdir()
            made.append(path / name)
            said.append(f"{path / name}: {len(write_out(disk, path / name))} files")
    except (HostError, OSError) as error:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        raise CannotWrite(f"{path}: the case's files cannot be written: {error}") from error
    return [
        *said,
        "Backing names that begin with /vm in the case are relative there, so that QEMU finds them.",
    ]

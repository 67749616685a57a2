"""External data files: guest clusters lie in a file of their own, each at its guest offset.

They are not counted, and an entry in the image's tables says whether a cluster is there, never where; the
copied flag is always set.  Neither compressed clusters nor internal snapshots can be (spec: "External data
file bit").  Where the file is to be raw as well, what reads as zeros is zeros in it.
"""

from collections.abc import Callable

from blockops.errors import ImageError, InvalidRequest
from blockops.host.api import HostFile
from blockops.qcow2.durable import DurableFile, UntouchedFile
from blockops.qcow2.entries import COPIED, Data, Mapping
from blockops.qcow2.header import DATA_FILE, Header
from blockops.qcow2.mapping import ClusterMap, Kind, Run
from blockops.qcow2.subclusters import SubclusterMap, SubclusterWriter
from blockops.qcow2.writing import Writer
from blockops.units import HostOffset

_DATA, _COMPRESSED = Kind.DATA, Kind.COMPRESSED


class DataStage:
    """The data file in the order of a flush: before any table that says that data is there."""

    def __init__(self, data: DurableFile) -> None:
        self._data = data

    @property
    def dirty(self) -> bool:
        """Whether anything was written that no flush has made durable."""
        return self._data.pending

    def write_back(self) -> None:
        """Make the data durable."""
        self._data.settle()


class ExternalMap(ClusterMap):
    """The guest's clusters where they are in an external data file."""

    def find(self, offset: int, length: int) -> Run:
        run = super().find(offset, length)
        if run[0] is _COMPRESSED:
            self._refuse(offset, "a compressed cluster")
        if run[0] is _DATA and run[1] != offset:
            self._refuse(offset, f"a cluster at {run[1] & ~self._mask:#x}")
        return run

    def place(self, offset: int, length: int) -> tuple[HostOffset | None, int]:
        host, run = super().place(offset, length)
        if host is not None and host != offset:
            self._refuse(offset, f"a cluster at {host & ~self._mask:#x}")
        return host, run

    def _refuse(self, offset: int, what: str) -> None:
        guest = offset & ~self._mask
        problem = f"{what} stands for the guest's at {guest:#x}: that cannot be in an external data file"
        raise ImageError(self._file.path, "L2 table", None, problem)

    def _decode(self, cluster: int, entry: int) -> Mapping:
        # Spec, "Standard Cluster Descriptor": offset 0 with the copied flag is the first cluster of the file.
        return Data(HostOffset(0), copied=True) if entry == COPIED else super()._decode(cluster, entry)

    def allocate(self, cluster: int, count: int) -> tuple[HostOffset, int, bool]:
        """Make the L2 table ready for clusters in the data file, where each has had its place all along."""
        self._own_table(cluster >> self._l2_bits)
        host = HostOffset(cluster << self._bits)
        return host, count, host >= self._data.end

    def give_back(self, host: HostOffset, count: int) -> None:
        """Do nothing: clusters of the data file are not counted."""

    def _lose(self, host: HostOffset, count: int) -> None:
        """Do nothing: clusters of the data file are not counted."""


class ExternalSubclusterMap(ExternalMap, SubclusterMap):
    """The same where L2 entries are extended: the one's way over the other's tables."""


class ExternalWriter(Writer):
    """Writes to a data file no further than the disk goes: it may be read as a raw image."""

    def _rest(self, end: int, mask: int) -> int:
        return min((-end) & mask, max(0, self._disk.size - end))


class ExternalSubclusterWriter(ExternalWriter, SubclusterWriter):
    """The same where L2 entries are extended."""


def open_data_file(
    header: Header, path: str, opening: Callable[[Header], HostFile] | None
) -> UntouchedFile | None:
    """Return the external data file of the image at *path*, None where its header says that it has none.

    Raises `InvalidRequest` where nobody can open it, and whatever *opening* raises.
    """
    if not header.incompatible & DATA_FILE:
        return None
    if opening is None:
        raise InvalidRequest(path, "its external data file is needed, too")
    return UntouchedFile(opening(header))


_KINDS: dict[tuple[bool, bool], tuple[type[ClusterMap], type[Writer]]] = {
    (False, False): (ClusterMap, Writer),
    (False, True): (SubclusterMap, SubclusterWriter),
    (True, False): (ExternalMap, ExternalWriter),
    (True, True): (ExternalSubclusterMap, ExternalSubclusterWriter),
}


def kinds_of(header: Header) -> tuple[type[ClusterMap], type[Writer]]:
    """Return the classes that know this kind of image: a plain one pays nothing for the others."""
    return _KINDS[bool(header.incompatible & DATA_FILE), header.geometry.extended_l2]

"""Defects planted in the core: the qcow2 image, its metadata, and what stands between it and the host."""

import pytest

import blockops.qcow2.durable as durable_module
from blockops.errors import BlockError, Effect
from blockops.host.api import HostFile
from blockops.lab.world import Workload, World
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.mapping import ClusterMap
from blockops.qcow2.refcounts import Refcounts
from blockops.qcow2.table_cache import TableCache
from blockops.qcow2.writing import Writer
from blockops.units import HostOffset
from tests.quality.planting import CORE, Bug, where

PACES = ("no-fault", "guest-runs", "guest-lags")
GROUP = ("group-snapshot.hardened.naive", "group-snapshot")


def tables_before_refcounts(patch: pytest.MonkeyPatch) -> None:
    honest = Qcow2Image.__init__

    def disordered(image: Qcow2Image, *args: object, **named: object) -> None:
        honest(image, *args, **named)  # type: ignore[arg-type]  # whatever it takes
        image._stages = tuple(reversed(image._stages))

    patch.setattr(TableCache, "depends_on", lambda cache, *stages: None)
    patch.setattr(Qcow2Image, "__init__", disordered)
    patch.setattr("blockops.qcow2.table_cache.RootTable.depends_on", lambda table, *stages: None)


def dirty_table_lost(patch: pytest.MonkeyPatch) -> None:
    def forgetful(cache: TableCache) -> None:
        dirty, cache._dirty = cache._dirty, {}
        for stage in cache._after if dirty else []:
            stage.write_back()
        for offset in sorted(dirty):
            dirty[offset].write_to(cache._file, cache._codec)

    patch.setattr(TableCache, "write_back", forgetful)


def tail_not_copied(patch: pytest.MonkeyPatch) -> None:
    honest = Writer._surroundings

    def head_only(
        writer: Writer, start: int, offset: int, end: int, stop: int, mask: int
    ) -> tuple[bytes, bytes]:
        return honest(writer, start, offset, end, stop, mask)[0], bytes(stop - end)

    patch.setattr(Writer, "_surroundings", head_only)


def short_read_believed(patch: pytest.MonkeyPatch) -> None:
    def once(file: HostFile, offset: int, length: int) -> bytes:
        return file.read(offset, length)

    patch.setattr(durable_module, "read_exactly", once)


def short_write_believed(patch: pytest.MonkeyPatch) -> None:
    def once(file: HostFile, offset: int, data: bytes | bytearray | memoryview) -> None:
        file.write(offset, data)

    patch.setattr(durable_module, "write_fully", once)


def pointed_to_before_it_is_written(patch: pytest.MonkeyPatch) -> None:
    def hasty(writer: Writer, offset: int, data: memoryview) -> int:
        shape, image = writer._shape, writer._disk
        cluster, inside = offset >> shape.cluster_bits, offset & shape.cluster_mask
        host, count, _ = writer._map.allocate(cluster, shape.clusters(inside + len(data)))
        data = data[: (count << shape.cluster_bits) - inside]
        start = offset - inside
        stop = min(start + (count << shape.cluster_bits), image.size)
        old = image.read(start, stop - start)
        writer._map.point(cluster, host, count)
        writer._data.write(host, old[:inside] + bytes(data) + old[inside + len(data) :])
        return len(data)

    patch.setattr(Writer, "write_new", hasty)


def close_without_flush(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Qcow2Image, "close", Qcow2Image.abandon)


def block_that_does_not_count_itself(patch: pytest.MonkeyPatch) -> None:
    honest = Refcounts._new_block

    def modest(refcounts: Refcounts, index: int) -> None:
        honest(refcounts, index)
        block = refcounts._block(index)
        assert block is not None
        own = block.offset >> refcounts._shape.cluster_bits
        if own >> refcounts._shape.block_bits == index:
            block.entries[own & refcounts._shape.block_mask] = 0

    patch.setattr(Refcounts, "_new_block", modest)


def failed_write_reported_as_done(patch: pytest.MonkeyPatch) -> None:
    honest = DurableFile.write

    def deaf(file: DurableFile, offset: int, data: bytes | bytearray | memoryview) -> None:
        try:
            honest(file, offset, data)
        except BlockError as error:
            error.effect = Effect.NONE

    patch.setattr(DurableFile, "write", deaf)


def neighbour_replaced_too(patch: pytest.MonkeyPatch) -> None:
    honest = ClusterMap.point

    def clumsy(mapping: ClusterMap, cluster: int, host: HostOffset, count: int) -> None:
        honest(mapping, cluster, host, count)
        table = mapping._own_table(cluster >> mapping._l2_bits)
        after = (cluster & mapping._l2_mask) + count
        if after < len(table.entries):
            table.entries[after] = 0
            mapping.l2.touch(table, after, 1)

    patch.setattr(ClusterMap, "point", clumsy)


# Half of it filled, in clusters of 512 bytes: the guest's first writes need the second refcount block.
MANY_CLUSTERS = World(devices=2, size=248 * 1024, cluster_size=512)
# So small, and the guest at it for so long, that it comes back to places between those it has written.
FEW_CLUSTERS = World(devices=2, size=8192, cluster_size=512, workload=Workload(after=30))

BUGS = (
    Bug(
        "L2 tables reach the file before their refcounts",
        "lab.md, planted bugs",
        where(*GROUP, "kill"),
        CORE,
        tables_before_refcounts,
    ),
    Bug(
        "a dirty table is forgotten when its write fails",
        "lab.md, planted bugs",
        where(*GROUP, "eio", "enospc"),
        "content",
        dirty_table_lost,
    ),
    Bug(
        "copy-on-write copies what is before the data, not what is behind it",
        "qcow2 specification: a cluster is the unit of allocation",
        where(*GROUP, "no-fault"),
        "content",
        tail_not_copied,
    ),
    Bug(
        "a short read is taken for the end of the file",
        "host/api.py: short transfers are allowed",
        where(*GROUP, "short"),
        "content",
        short_read_believed,
    ),
    Bug(
        "the rest of a short write is not written",
        "host/api.py: short transfers are allowed",
        where(*GROUP, "short"),
        "content",
        short_write_believed,
    ),
    Bug(
        "a cluster is referred to before it is written",
        "writing.py: counted, filled, and only then referred to",
        where(*GROUP, "eio", "enospc", "torn"),
        "content",
        pointed_to_before_it_is_written,
    ),
    Bug(
        "close does not flush",
        "image.py: close flushes where anything is dirty",
        where("drive-migrate.as-posted.naive", "migrate-one", "no-fault"),
        "nothing-lost",
        close_without_flush,
    ),
    Bug(
        "a refcount block does not count itself",
        "qcow2 specification: host cluster management",
        where(*GROUP, "no-fault", world=MANY_CLUSTERS),
        CORE,
        block_that_does_not_count_itself,
    ),
    Bug(
        "a failed write is reported as done",
        "host/api.py: an error is a HostError",
        where(*GROUP, "eio", "enospc"),
        "nothing-lost",
        failed_write_reported_as_done,
    ),
    Bug(
        "the neighbour of an allocated cluster is dropped",
        "mapping.py: one run, one range of entries",
        where(*GROUP, *PACES, world=FEW_CLUSTERS),
        "content",
        neighbour_replaced_too,
    ),
)

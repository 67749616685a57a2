"""The host's cache modes, as QEMU defines them, and what each changes at the host seam.

    mode            a guest's write        the host's page cache    a flush
    writeback       is not durable         used                     reaches the host
    writethrough    is flushed at once     used                     reaches the host
    none            is not durable         bypassed                 reaches the host
    directsync      is flushed at once     bypassed                 reaches the host
    unsafe          is not durable         used                     does nothing

(QEMU: cache.writeback, cache.direct, cache.no-flush.)  The modes are the hypervisor's: management's own
copies and notes go through the page cache and are flushed.  Where the cache is bypassed a failed flush has
no dirty pages to drop.  Syncs of folders are no part of a mode.  Not modelled: that bypassing demands
aligned requests, and that a disk has a cache of its own, which only a power cut empties.
"""

import enum


class Cache(enum.Enum):
    """A cache mode."""

    WRITEBACK = "writeback"
    WRITETHROUGH = "writethrough"
    NONE = "none"
    DIRECTSYNC = "directsync"
    UNSAFE = "unsafe"

    @property
    def write_through(self) -> bool:
        """Whether a write of the guest is durable when it is done."""
        return self in (Cache.WRITETHROUGH, Cache.DIRECTSYNC)

    @property
    def direct(self) -> bool:
        """Whether the hypervisor's files bypass the host's page cache."""
        return self in (Cache.NONE, Cache.DIRECTSYNC)

    @property
    def flushes(self) -> bool:
        """Whether a flush of an image reaches the host."""
        return self is not Cache.UNSAFE

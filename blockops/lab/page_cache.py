"""What of the host's files is on the disk, and what only in memory: needed where a failed flush drops it.

Readers see the memory.  The disk is behind it by what was written since the last good flush; when the
dirty pages are dropped, readers see what the disk has.  Names and sizes are not pages: they stay
(Linux after a failed fsync: pages clean or gone, the inode as it was).  When a case begins, all is on the
disk.
"""

import attrs

from blockops.host.memory_file import MemoryFile
from blockops.host.pages import Content


@attrs.define(eq=False)
class PageCache:
    """The pages of all files; whoever writes, truncates or flushes says so here first.

    *orphaned* are files that lost what another handle than the flushing one had written: nobody was left
    who could have written it again.
    """

    orphaned: dict[str, None] = attrs.field(factory=dict)
    _on_disk: dict[Content, Content] = attrs.field(factory=dict)
    _writers: dict[Content, dict[MemoryFile, None]] = attrs.field(factory=dict)

    def writing(self, file: MemoryFile) -> None:
        """Note that the file is about to be written to."""
        content = file.content
        if content is not None:
            if content not in self._on_disk:
                self._on_disk[content] = content.fork()
            self._writers.setdefault(content, {})[file] = None

    def truncating(self, file: MemoryFile, size: int) -> None:
        """Note that the file is about to get another size: what is beyond it is gone on the disk, too."""
        on_disk = None if file.content is None else self._on_disk.get(file.content)
        if on_disk is not None and size >= 0 and not on_disk.volume:
            on_disk.truncate(size)

    def flushed(self, file: MemoryFile) -> None:
        """Note that everything in the file is on the disk."""
        if file.content is not None:
            self._on_disk.pop(file.content, None)
            self._writers.pop(file.content, None)

    def drop(self, file: MemoryFile) -> None:
        """Forget what is not on the disk."""
        content = file.content
        if content is None:
            return
        on_disk = self._on_disk.pop(content, None)
        if on_disk is not None:
            on_disk.truncate(content.size)
            content.take_over(on_disk)
        if any(writer is not file for writer in self._writers.pop(content, ())):
            self.orphaned[file.path] = None

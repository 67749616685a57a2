"""The disk of a case where QEMU works on real files: what it changes is taken over when somebody looks.

QEMU ── real files ──▶ changed ──▶ the disk of the case     as soon as somebody looks at it
management ──▶ the disk of the case ──▶ made ──▶ real files     before QEMU's next turn
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from blockops.host.memory import MemoryDisk
from blockops.host.pages import PAGE, Content
from blockops.host.posix import PosixFolder
from blockops.lab.faults.kinds import MUTATING
from blockops.lab.qemu.clock import Done
from blockops.lab.world import MANAGEMENT


class LinkedDisk(MemoryDisk):
    """A disk whose files are real ones as well, below the folder *root*."""

    def __init__(self, start: MemoryDisk, root: Path) -> None:
        super().__init__()
        twin = start.fork()
        self._folders, self._files = twin._folders, twin._files
        self._root = root
        self._changed: dict[str, None] = {}
        self._made: dict[str, None] = {}
        start.export_all("/vm", PosixFolder(root / "vm"))

    def qemu_has(self, done: Iterable[Done]) -> None:
        """Note what QEMU has done to files."""
        self._changed |= {one.path: None for one in done if one.operation in MUTATING}

    def show_qemu(self) -> None:
        """Let QEMU see what management has made, renamed or removed."""
        made, self._made = self._made, {}
        for path in made:
            if path.startswith(MANAGEMENT):
                continue
            (self._root / path[1:]).unlink(missing_ok=True)
            if path in self._files:
                self.export(path, PosixFolder(self._root), path[1:])

    # ------------------------------------------------------------------------------- somebody looks

    @property
    def files(self) -> Mapping[str, Content]:
        self._look(tuple(self._changed))
        return super().files

    def fork(self) -> MemoryDisk:
        return self.surviving(self.files)

    def digest(self) -> str:
        self._look(tuple(self._changed))
        return super().digest()

    def names(self, folder: str) -> list[str]:
        self._look(tuple(self._changed))
        return super().names(folder)

    def exists(self, path: str) -> bool:
        self._look((path,))
        return super().exists(path)

    def content(self, operation: str, path: str) -> Content:
        self._look((path,))
        return super().content(operation, path)

    # -------------------------------------------------------------------------- management changes

    def create(self, path: str, *, replace: bool) -> Content:
        self._look((path,))
        self._made[path] = None
        return super().create(path, replace=replace)

    def rename(self, old: str, new: str) -> None:
        self._look((old, new))
        self._made |= {old: None, new: None}
        super().rename(old, new)

    def unlink(self, path: str) -> None:
        self._look((path,))
        self._made[path] = None
        super().unlink(path)

    def _look(self, paths: Iterable[str]) -> None:
        """Take over what QEMU has changed of these files."""
        for path in paths:
            if path in self._changed:
                del self._changed[path]
                self._take_over(path)

    def _take_over(self, path: str) -> None:
        try:
            data = (self._root / path[1:]).read_bytes()
        except FileNotFoundError:
            self._files.pop(path, None)
            return
        content = self._files.get(path)
        if content is None:
            content = self._files[path] = Content()
        content.truncate(0)
        for offset in range(0, len(data), PAGE):
            page = data[offset : offset + PAGE]
            if page.count(0) < len(page):
                content.write(offset, page)
        content.truncate(len(data))

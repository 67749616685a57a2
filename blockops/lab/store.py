"""What an unfinished run has found so far: an SQLite file from which a killed run goes on.

    run     one set of settings, judged by one state of the code
    result  by run and name of an errand (`workers.Errand`): what came of it, as JSON

Every result is committed when it comes, so whatever ends a run, a SIGKILL or a full disk, loses nothing
that was stored.  A run is known by the digests of its settings and of the code (`identity`), so that what
other code judged is never mixed in.  A run that has come to its end is removed, and with the last one the
file.  Two runs at the same time cannot use one file.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.preconf.json import JsonConverter, make_converter

from blockops.errors import BlockError
from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Fault

T = TypeVar("T")

APPLICATION = 0x626C6B6F
"""SQLite's application id of our files: "blko"."""

VERSION = 1
"""Raised when the tables change."""

_TABLES = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE run (id INTEGER PRIMARY KEY, settings TEXT, code TEXT, UNIQUE (settings, code));
CREATE TABLE result (run INTEGER, name TEXT, value TEXT, PRIMARY KEY (run, name)) WITHOUT ROWID;
"""

_UNWRITABLE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class UnusableStore(BlockError):
    """A file that is no store of ours, damaged, of another version or in use."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    @property
    def message(self) -> str:
        return f"{self.path}: {self.problem}"


class UnwritableStore(Exception):
    """Nothing more can be stored; what was stored stays."""


@attrs.frozen
class RunKey:
    """By what a run is known: the digests of what is judged, and of the code that judges."""

    settings: str
    code: str


@attrs.define
class Store:
    """The results of one run.

    *begun*: it held some when it was opened; *foreign*: other code has left some of the same settings.
    """

    path: Path
    begun: bool
    foreign: bool
    _connection: sqlite3.Connection
    _run: int

    def get(self, name: str, kind: type[T]) -> T | None:
        """Return what was stored by *name*, or None."""
        row = self._first("SELECT value FROM result WHERE run = ? AND name = ?", self._run, name)
        if row is None:
            return None
        try:
            return _CONVERTER.loads(row[0], kind)
        except (ValueError, TypeError, cattrs.BaseValidationError) as error:
            raise UnusableStore(self.path, f"it is damaged: no {kind.__name__} for {name}") from error

    def keep(self, name: str, value: object) -> None:
        """Store *value* by *name*; whatever kills the process after this, it is there."""
        row = (self._run, name, _CONVERTER.dumps(value))
        with _explained(self.path):
            self._connection.execute("INSERT OR REPLACE INTO result VALUES (?, ?, ?)", row)

    def finish(self) -> None:
        """Remove the run: it has come to its end."""
        with _explained(self.path):
            self._connection.execute("DELETE FROM result WHERE run = ?", (self._run,))
            self._connection.execute("DELETE FROM run WHERE id = ?", (self._run,))

    def close(self) -> None:
        """Let go of the file, and remove it where no result is left in it."""
        row = self._first("SELECT 1 FROM result")
        self._connection.close()
        if row is None:
            _remove(self.path)

    def _first(self, question: str, *about: object) -> Any:
        with _explained(self.path):
            return self._connection.execute(f"{question} LIMIT 1", about).fetchone()


@contextlib.contextmanager
def open_store(path: Path, key: RunKey) -> Iterator[Store]:
    """Open or make the store at *path*, and in it the run known by *key*.

    Raises `UnusableStore` or `UnwritableStore` with a sentence that names *path*.
    """
    new = not path.exists()
    with _explained(path):
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            _prepare(path, connection)
            store = _opened(path, connection, key)
        except BaseException:
            connection.close()
            if new:
                _remove(path)
            raise
    try:
        yield store
    finally:
        store.close()


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Make sure that the file is ours, whole and nobody else's for now; make the tables of a new one."""
    # Two processes never share the file, so that WAL needs no shared memory; a kill loses nothing.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    }
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if found["application_id"] != APPLICATION and (tables or found["application_id"]):
        raise UnusableStore(path, "it is a database, but no store of blockops")
    if tables and found["user_version"] != VERSION:
        raise UnusableStore(
            path, f"it is a store of version {found['user_version']}, not {VERSION}; --fresh removes it"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if not tables:
        connection.executescript(_TABLES)
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise UnusableStore(path, "it is damaged; --fresh removes it")


def _opened(path: Path, connection: sqlite3.Connection, key: RunKey) -> Store:
    about = (key.settings, key.code)
    connection.execute("INSERT OR IGNORE INTO run (settings, code) VALUES (?, ?)", about)
    runs = dict(connection.execute("SELECT code, id FROM run WHERE settings = ?", about[:1]).fetchall())
    begun = {run for (run,) in connection.execute("SELECT DISTINCT run FROM result")}
    own = runs.pop(key.code)
    return Store(path, own in begun, not begun.isdisjoint(runs.values()), connection, own)


def forget(path: Path) -> None:
    """Remove the store at *path*, if there is one; raises `UnusableStore` where the file is not ours."""
    try:
        with path.open("rb") as file:
            start = file.read(72)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnusableStore(path, f"it cannot be read: {error.strerror}") from error
    if start and not (start.startswith(b"SQLite format 3\0") and start[68:] == APPLICATION.to_bytes(4)):
        raise UnusableStore(path, "it is no store of blockops, so it is not removed")
    _remove(path)


def _remove(path: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into an error of ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _UNWRITABLE:
            raise UnwritableStore(f"{path}: cannot be written to: {error}") from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise UnusableStore(path, "another run is using it") from error
        raise UnusableStore(path, f"it is no store of blockops, or damaged: {error}") from error


def _converter() -> JsonConverter:
    """Return what turns results into JSON and back; a fault is its name, keys may be tuples."""
    made = make_converter()
    made.register_unstructure_hook_func(_is_fault, str)
    made.register_structure_hook_func(_is_fault, lambda text, _: parse_fault(text))
    made.register_unstructure_hook_factory(_is_keyed_by_tuples, _pairs_out)
    made.register_structure_hook_factory(_is_keyed_by_tuples, _pairs_in)
    return made


def _is_fault(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Fault)


def _is_keyed_by_tuples(kind: Any) -> bool:
    return get_origin(kind) is dict and get_origin(get_args(kind)[0]) is tuple


def _pairs_out(kind: Any, converter: cattrs.Converter) -> Any:
    key, value = get_args(kind)
    return lambda found: [
        [converter.unstructure(one, key), converter.unstructure(other, value)] for one, other in found.items()
    ]


def _pairs_in(kind: Any, converter: cattrs.Converter) -> Any:
    key, value = get_args(kind)
    return lambda pairs, _: {
        converter.structure(one, key): converter.structure(other, value) for one, other in pairs
    }


_CONVERTER = _converter()

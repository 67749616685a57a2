"""What runs have found: an SQLite file from which a killed run goes on, and a finished one is told again.

    run     one set of settings, judged by one state of the code: what was asked, and its report so far
    result  by run and name of an errand (`workers.Errand`): what came of it, as JSON

Every result is committed when it comes, so whatever ends a run, a SIGKILL or a full disk, loses nothing
that was stored.  A run is known by the digests of its settings and of the code (`identity`), so that what
other code judged is never mixed in.  A run that has come to its end stays, with its report: *ended* counts
them in the order in which they did; one of the same settings that other code had ended goes then.  Two
runs at the same time cannot use one file.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs

from blockops.errors import BlockError
from blockops.lab.conversion import converter
from blockops.lab.results import Timing

T = TypeVar("T")

APPLICATION = 0x626C6B6F
"""SQLite's application id of our files: "blko"."""

VERSION = 3
"""Raised when the tables change, or what their reports must have for a later run to be compared with them."""

_TABLES = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE run (
    id INTEGER PRIMARY KEY, settings TEXT, code TEXT, asked TEXT, versions TEXT,
    started TEXT, seconds REAL, report TEXT, ended INTEGER,
    UNIQUE (settings, code)
);
CREATE TABLE result (run INTEGER, name TEXT, value TEXT, PRIMARY KEY (run, name)) WITHOUT ROWID;
"""

_TOLD = "SELECT report, started, seconds, ended, settings, code, asked, versions FROM run"

_CONVERTER = converter()

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


class StoreInUse(UnusableStore):
    """A store that another run has opened."""


class UnwritableStore(Exception):
    """Nothing more can be stored; what was stored stays."""


@attrs.frozen
class RunKey:
    """By what a run is known: the digests of what is judged, and of the code that judges.

    *asked* and *versions* say the same in plain words, for whoever compares two runs.
    """

    settings: str
    code: str
    asked: dict[str, Any] = attrs.field(factory=dict)
    versions: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Told:
    """What a store tells of a run: its *report* without timing, as JSON text, empty where there is none yet.

    *ended*: it has come to its end; else the report, if there is one, is of when it was interrupted.
    """

    key: RunKey
    report: str
    timing: Timing | None
    ended: bool


@attrs.define
class Store:
    """The results of one run.

    *begun*: it held some when it was opened; *foreign*: other code has left some of the same settings;
    *told*: the run has ended before, and this is what came of it.
    """

    path: Path
    begun: bool
    foreign: bool
    told: Told | None
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

    def keep_report(self, report: str, timing: Timing | None, *, ended: bool) -> None:
        """Store what the run has come to; *ended*: it was its end; what other code ended goes."""
        about = (report, timing and timing.started, timing and timing.seconds, self._run)
        with _explained(self.path), self._connection as connection:
            connection.execute("BEGIN")
            connection.execute("UPDATE run SET report = ?, started = ?, seconds = ? WHERE id = ?", about)
            if ended:
                connection.execute(
                    "UPDATE run SET ended = (SELECT ifnull(max(ended), 0) + 1 FROM run) "
                    "WHERE id = ? AND (ended IS NULL OR ended < (SELECT max(ended) FROM run))",
                    (self._run,),
                )
                _remove_runs(
                    connection,
                    "ended AND id != ?1 AND settings = (SELECT settings FROM run WHERE id = ?1)",
                    self._run,
                )

    def close(self) -> None:
        """Let go of the file, and remove it where nothing is left in it."""
        try:
            with contextlib.suppress(sqlite3.Error):  # a full disk: then there is something in it
                _remove_runs(
                    self._connection,
                    "report IS NULL AND NOT EXISTS (SELECT 1 FROM result WHERE result.run = run.id)",
                )
            row = self._first("SELECT 1 FROM run")
            with contextlib.suppress(sqlite3.Error):
                # At rest it is one file, which can be read where nothing can be written.
                self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()
        if row is None:
            _remove(self.path)

    def _first(self, question: str, *about: object) -> Any:
        with _explained(self.path):
            return self._connection.execute(f"{question} LIMIT 1", about).fetchone()


@contextlib.contextmanager
def open_store(path: Path, key: RunKey, *, fresh: bool = False) -> Iterator[Store]:
    """Open or make the store at *path*, and in it the run known by *key*.

    *fresh*: with nothing of these settings in it; a damaged store is removed then.  Raises `UnusableStore` or
    `UnwritableStore` with a sentence that names *path*.
    """
    new = not path.exists()
    try:
        connection = _connected(path)
    except StoreInUse:
        raise
    except UnusableStore:
        if not fresh:
            raise
        forget(path)
        new, connection = True, _connected(path)
    try:
        with _explained(path):
            store = _opened(path, connection, key, fresh)
    except BaseException:
        connection.close()
        if new:
            _remove(path)
        raise
    try:
        yield store
    finally:
        store.close()


def read_store(path: Path) -> list[Told]:
    """Return what the store at *path* tells of its runs: first those that ended, the last of them first.

    What it holds stays as it is.  Raises `UnusableStore` with a sentence that names *path*.
    """
    try:
        if path.is_fifo():  # to open one waits for a writer
            raise UnusableStore(path, "it is a named pipe, not a file")
        with path.open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        raise UnusableStore(path, f"it cannot be read: {getattr(error, 'strerror', error)}") from error
    try:
        with _explained(path), contextlib.closing(_connection(path)) as connection:
            if not _examined(path, connection):
                raise UnusableStore(path, "it is no store of blockops: it is empty")
            rows = connection.execute(f"{_TOLD} ORDER BY ended DESC, id DESC").fetchall()
    except UnwritableStore as error:
        raise UnusableStore(path, f"it cannot be read: {error}") from error
    return [_told(path, row) for row in rows]


def _connected(path: Path) -> sqlite3.Connection:
    """Open or make the file and make sure that it is ours, whole and nobody else's for now."""
    new = not path.exists()
    with _explained(path):
        connection = _connection(path)
        try:
            filled = _examined(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if not filled:
                connection.executescript(_TABLES)
        except BaseException:
            connection.close()
            if new:
                _remove(path)
            raise
    return connection


def _connection(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    # Two processes never share the file, so that WAL needs no shared memory; a kill loses nothing.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return connection


def _examined(path: Path, connection: sqlite3.Connection) -> bool:
    """Return whether anything is in the file; raises `UnusableStore` where that is not ours or damaged."""
    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    }
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if found["application_id"] != APPLICATION and (tables or found["application_id"]):
        raise UnusableStore(path, "it is a database, but no store of blockops")
    if tables and found["user_version"] != VERSION:
        raise UnusableStore(
            path,
            f"it is a store of version {found['user_version']}, not {VERSION}; "
            f"'blockops compare --fresh' removes it",
        )
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise UnusableStore(path, "it is damaged; 'blockops compare --fresh' removes it")
    return bool(tables)


def _opened(path: Path, connection: sqlite3.Connection, key: RunKey, fresh: bool) -> Store:
    if fresh:
        _remove_runs(connection, "settings = ?", key.settings)
    about = (key.settings, key.code, json.dumps(key.asked), json.dumps(key.versions))
    connection.execute(
        "INSERT OR IGNORE INTO run (settings, code, asked, versions) VALUES (?, ?, ?, ?)", about
    )
    runs = dict(connection.execute("SELECT code, id FROM run WHERE settings = ?", about[:1]).fetchall())
    begun = {run for (run,) in connection.execute("SELECT DISTINCT run FROM result")}
    own = runs.pop(key.code)
    told = _told(path, connection.execute(f"{_TOLD} WHERE id = ?", (own,)).fetchone())
    foreign = not begun.isdisjoint(runs.values())
    return Store(path, own in begun, foreign, told if told.ended else None, connection, own)


def _told(path: Path, row: tuple[Any, ...]) -> Told:
    report, started, seconds, ended, settings, code, asked, versions = row
    try:
        key = RunKey(settings, code, json.loads(asked), json.loads(versions))
    except (TypeError, ValueError) as error:
        raise UnusableStore(path, "it is damaged: what was asked for cannot be read") from error
    return Told(key, report or "", None if started is None else Timing(started, seconds), bool(ended))


def _remove_runs(connection: sqlite3.Connection, which: str, *about: object) -> None:
    connection.execute(f"DELETE FROM result WHERE run IN (SELECT id FROM run WHERE {which})", about)
    connection.execute(f"DELETE FROM run WHERE {which}", about)


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
            raise StoreInUse(path, "another run is using it") from error
        raise UnusableStore(path, f"it is no store of blockops, or damaged: {error}") from error

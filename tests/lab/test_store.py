"""What was found is stored when it comes, and comes back as it was; a file that will not do is refused."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from blockops.lab import identity
from blockops.lab.drawn import Searched, Sighting
from blockops.lab.exploring import record, space
from blockops.lab.faults import parse_fault
from blockops.lab.identity import run_key
from blockops.lab.judging import Judging
from blockops.lab.parts import Survey
from blockops.lab.results import Timing
from blockops.lab.settings import Settings
from blockops.lab.store import RunKey, Told, UnusableStore, UnwritableStore, open_store, read_store
from blockops.lab.tally import Tally
from blockops.lab.world import World
from proposals.catalogue import contestants
from tests.lab.cases import case

KEY = RunKey("settings", "code")


def tally_of_a_setting() -> Tally:
    start = case("freeze.as-posted.naive/group-snapshot-2/no-fault")
    found = space(start, record(start), frozenset({"eio", "kill"}), complete=True)
    tally, judging = Tally(broken=["one", "two"]), Judging(start, found)
    for rank, fault in enumerate(found.faults[:80]):
        tally.count(judging.judge(fault), fault, rank)
    return tally


def test_what_is_stored_comes_back_as_it_was(tmp_path: Path) -> None:
    tally = tally_of_a_setting()
    assert tally.violations
    assert tally.points
    sighting = Sighting("retry", World(devices=3, depth=1), parse_fault("enospc+@3"), "tidy", "a sentence")
    stored = {
        "tally": tally,
        "survey": Survey({"eio": 3}, {"guest-runs": 2}, 4, 5, 6, {"eio@2": 1, "no-fault": 0}),
        "found": Searched("freeze", sighting),
        "nothing": Searched("freeze", None),
    }
    with open_store(tmp_path / "store", KEY) as store:
        assert not store.begun
        for name, value in stored.items():
            store.keep(name, value)
    with open_store(tmp_path / "store", KEY) as store:
        assert store.begun
        assert {name: store.get(name, type(value)) for name, value in stored.items()} == stored
        assert store.get("something else", Tally) is None


def test_what_other_code_or_other_settings_found_is_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path, KEY) as store:
        store.keep("x", Searched("a", None))
    for other, foreign in ((RunKey("settings", "new code"), True), (RunKey("others", "code"), False)):
        with open_store(path, other) as store:
            assert (store.begun, store.foreign) == (False, foreign)
            assert store.get("x", Searched) is None
    with open_store(path, KEY) as store:
        assert store.get("x", Searched) == Searched("a", None)


def test_what_ended_stays_with_its_report_and_the_last_to_end_is_told_first(tmp_path: Path) -> None:
    path, other = tmp_path / "store", RunKey("others", "code", {"seed": 7}, {"python": "3"})
    timing = Timing("2026-11-23T00:00:00Z", 1.5)
    for key in (KEY, other, RunKey("third", "code")):
        with open_store(path, key) as store:
            store.keep("x", Searched("a", None))
    for key, ended in ((other, True), (KEY, True), (RunKey("third", "code"), False)):
        with open_store(path, key) as store:
            assert store.told is None
            store.keep_report(f"report of {key.settings}", timing, ended=ended)
    with open_store(path, other) as store:
        assert store.told == Told(other, "report of others", timing, True)
        assert store.get("x", Searched) == Searched("a", None)
    told = read_store(path)
    assert [(one.key.settings, one.ended) for one in told] == [
        ("settings", True),
        ("others", True),
        ("third", False),
    ]
    with open_store(path, RunKey("third", "code")) as store:
        assert store.told is None
        assert store.begun
    for key, number in ((KEY, 2), (other, 3), (other, 3)):  # told again it is the last, and stays that
        with open_store(path, key) as store:
            store.keep_report("again", timing, ended=True)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            question = "SELECT max(ended) FROM run"
            assert connection.execute(question).fetchone() == (number,)


def test_what_other_code_ended_goes_when_the_same_settings_come_to_their_end_again(tmp_path: Path) -> None:
    path = tmp_path / "store"
    keys = (KEY, RunKey("settings", "new code"), RunKey("others", "code"), RunKey("settings", "unended"))
    for key in keys:
        with open_store(path, key) as store:
            store.keep("x", Searched("a", None))
            if key.code != "unended":
                store.keep_report("{}", None, ended=True)
    assert [one.key.settings for one in read_store(path)] == ["others", "settings", "settings"]
    with open_store(path, KEY) as store:
        assert (store.begun, store.told) == (False, None)
        assert store.get("x", Searched) is None


def test_fresh_forgets_what_was_asked_for_and_nothing_else(tmp_path: Path) -> None:
    path, other = tmp_path / "store", RunKey("others", "code")
    for key in (KEY, RunKey("settings", "old code"), other):
        with open_store(path, key) as store:
            store.keep("x", Searched("a", None))
    with open_store(path, KEY, fresh=True) as store:
        assert (store.begun, store.foreign) == (False, False)
    with open_store(path, other) as store:
        assert store.begun


def test_reading_changes_no_byte_even_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path, KEY) as store:
        store.keep_report("{}", None, ended=True)
    before = path.read_bytes()
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert read_store(path)[0].report == "{}"
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_that_stored_nothing_leaves_no_file(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", KEY):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store"
    begin = f"""
import sys; from pathlib import Path
from blockops.lab.store import *; from blockops.lab.drawn import Searched
with open_store(Path({str(path)!r}), RunKey("settings", "code")) as store:
    store.keep("x", Searched("a", None)); print("here", flush=True); sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", begin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        for fresh in (False, True):
            in_use = pytest.raises(UnusableStore, match="another run is using it")
            with in_use, open_store(path, KEY, fresh=fresh):
                pass
        with pytest.raises(UnusableStore, match="another run is using it"):
            read_store(path)
        other.kill()
    with open_store(path, KEY) as store:
        assert store.get("x", Searched) == Searched("a", None)


def made(path: Path) -> None:
    with open_store(path, KEY) as store:
        for number in range(400):
            store.keep(f"x{number}", Searched("a" * 200, None))


def foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()


def of_another_version(path: Path) -> None:
    made(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def damaged_in_the_middle(path: Path) -> None:
    made(path)
    data = bytearray(path.read_bytes())
    data[8192 : len(data) // 2] = b"\xa5" * (len(data) // 2 - 8192)
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    made(path)
    path.write_bytes(path.read_bytes()[:6000])


@pytest.mark.parametrize(
    ("spoil", "removable"),
    [
        (lambda path: path.write_text("my notes\n" * 100), False),
        (foreign_database, False),
        (of_another_version, True),
        (damaged_in_the_middle, True),
        (cut_off, True),
    ],
    ids=["text", "database", "version", "damaged", "cut-off"],
)
def test_a_file_that_will_not_do_is_refused_in_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], object], removable: bool
) -> None:
    path = tmp_path / "store"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(UnusableStore) as refused, open_store(path, KEY):
        pass
    assert str(refused.value).startswith(f"{path}: it is ")
    assert "\n" not in str(refused.value)
    with pytest.raises(UnusableStore) as unread:
        read_store(path)
    assert str(unread.value) == str(refused.value)
    assert path.read_bytes() == before
    if removable:
        with open_store(path, KEY, fresh=True) as store:
            assert not store.begun
        assert list(tmp_path.iterdir()) == []
    else:
        with pytest.raises(UnusableStore, match="not removed"), open_store(path, KEY, fresh=True):
            pass
        assert path.read_bytes() == before


NOT_THERE = {"folder": Path.mkdir, "empty": Path.touch, "none": lambda path: None, "pipe": os.mkfifo}


@pytest.mark.parametrize("made", NOT_THERE.values(), ids=NOT_THERE)
def test_what_holds_no_store_is_not_read(tmp_path: Path, made: Callable[[Path], object]) -> None:
    made(tmp_path / "store")
    before = list(tmp_path.iterdir())
    with pytest.raises(UnusableStore) as refused:
        read_store(tmp_path / "store")
    assert str(refused.value).startswith(f"{tmp_path / 'store'}: it ")
    assert list(tmp_path.iterdir()) == before


def test_a_value_that_is_none_of_its_kind_is_damage(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", KEY) as store:
        store.keep("x", Searched("a", None))
        with pytest.raises(UnusableStore, match="damaged: no Survey for x"):
            store.get("x", Survey)


FULL_DISK = """
import resource, sys; from pathlib import Path
from blockops.lab.store import *; from blockops.lab.drawn import Searched
with open_store(Path(sys.argv[1]), RunKey("settings", "code")) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    for number in range(10_000):
        try:
            store.keep(f"x{number}", Searched("a" * 1000, None))
        except UnwritableStore as error:
            print(number, error); break
"""


def test_a_full_disk_is_said_and_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "store"
    told = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told
    number, _, sentence = told.stdout.partition(" ")
    assert sentence.startswith(f"{path}: cannot be written to: ")
    with open_store(path, KEY) as store:
        assert int(number) > 10
        assert all(store.get(f"x{n}", Searched) == Searched("a" * 1000, None) for n in range(int(number)))
        assert store.get(f"x{number}", Searched) is None


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnwritableStore, match="missing"), open_store(tmp_path / "missing" / "store", KEY):
        pass


def test_a_run_is_the_same_whoever_works_and_another_when_anything_else_differs(tmp_path: Path) -> None:
    image = tmp_path / "image.raw"
    image.write_bytes(bytes(1024))
    settings = Settings(images=((str(image), "raw"),))
    everybody = contestants()
    key = run_key(settings, everybody)
    assert run_key(attrs.evolve(settings, jobs=3), everybody) == key
    assert run_key(attrs.evolve(settings, seed=8), everybody).settings != key.settings
    assert run_key(settings, everybody[:2]).settings != key.settings
    image.write_bytes(bytes(2048))
    assert run_key(settings, everybody).settings != key.settings
    assert run_key(settings, everybody).code == key.code


def test_a_change_in_any_source_of_a_package_that_takes_part_makes_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "somebodys_package" / "deep"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    (one,) = (one for one in contestants() if one.id == "freeze.hardened.careful")
    monkeypatch.setattr(identity, "package_of", lambda contestant: "somebodys_package")
    codes = []
    for text in ("", "x = 1\n", "x = 2\n", "x = 1\n"):
        (package / "__init__.py").write_text(text)
        codes.append(run_key(Settings(), [one]).code)
    assert len(set(codes)) == 3
    assert codes[1] == codes[3]

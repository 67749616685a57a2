"""Whoever works, the results are the same; what crosses to other processes needs no common past."""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

import cattrs
import pytest

import blockops.lab.compare as compare_module
from blockops.lab.compare import Progress, Settings, compare
from blockops.lab.results import ToolSample
from blockops.lab.workers import HANDED_OUT, Batch, Errand, own_workers
from proposals.catalogue import contestants

SETTINGS = Settings(
    devices=2,
    use_cases=("group-snapshot",),
    contestants=("naive-loop",),
    managers=("naive",),
    faults=("enospc", "kill"),
    jobs=1,
)


def ignored(progress: Progress) -> None:
    pass


def compared(executor: Executor | None) -> dict[str, Any]:
    plain: dict[str, Any] = cattrs.unstructure(compare(SETTINGS, contestants, ignored, executor))
    return plain


@pytest.fixture(scope="module")
def by_ours() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_module, "sample_images", lambda settings, parts: ToolSample())
        yield compared(None)


@pytest.mark.parametrize(
    "executor",
    [
        lambda: ThreadPoolExecutor(1),
        lambda: ProcessPoolExecutor(2, get_context("spawn")),
    ],
    ids=["thread", "spawned"],
)
def test_any_executor_will_do(by_ours: dict[str, Any], executor: Any) -> None:
    with executor() as workers:
        assert compared(workers) == by_ours
    assert by_ours["violations"]


def test_an_interrupt_ends_the_workers_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    for _ in range(10):
        with suppress(KeyboardInterrupt), own_workers(2, contestants) as workers:
            errands = (Errand(str(number), "", bytes, (2_000_000,), bytes) for number in range(100))
            for _ in Batch(workers, errands, None):
                raise KeyboardInterrupt
        for thread in set(threading.enumerate()) - {threading.main_thread()}:
            thread.join(10)
    assert said == []


class Patient(Executor):
    """Runs what is submitted only when it is looked at, and counts what waits."""

    def __init__(self) -> None:
        self.most = 0
        self.waiting = 0

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **named))
        return future


def test_only_so_many_errands_are_handed_out_at_a_time() -> None:
    executor, seen = Patient(), []
    errands = (Errand(str(number), "", abs, (-number,), int) for number in range(3 * HANDED_OUT))
    for done in Batch(executor, errands, None):
        executor.waiting -= 1
        seen.append(done.result)
    assert sorted(seen) == list(range(3 * HANDED_OUT))
    assert executor.most == HANDED_OUT

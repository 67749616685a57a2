"""Whoever works, the results are the same; what crosses to other processes needs no common past."""

import signal
import threading
import time
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
from blockops.lab.workers import HANDED_OUT, Batch, Errand, interrupts_wait, own_workers
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


def test_an_interrupt_waits_for_the_end_of_the_block_and_strikes_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    reached = []

    def struck_twice() -> None:
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        struck_twice()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is before


def pause() -> float:
    time.sleep(0.02)
    return 0.02


class Struck(threading.Condition):
    """A lock of a future; an interrupt strikes as the main thread has taken one, when its turn has come."""

    left = 0

    def __enter__(self) -> bool:
        taken = super().__enter__()
        if threading.current_thread() is threading.main_thread():
            Struck.left -= 1
            if Struck.left == 0:
                signal.raise_signal(signal.SIGINT)
        return taken

    def acquire(self, *arguments: Any) -> bool:  # as `concurrent.futures.wait` does
        return self.__enter__()


class Striking(Executor):
    """Does each errand in a thread; the futures are struck."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        future._condition = Struck()
        work = threading.Thread(target=lambda: future.set_result(function(*arguments)), daemon=True)
        self.threads.append(work)
        work.start()
        return future


@pytest.mark.parametrize("turn", range(1, 60))
def test_whenever_an_interrupt_strikes_no_lock_of_a_future_stays_held(turn: int) -> None:
    executor = Striking()
    errands = (Errand(str(number), "", pause, (), float) for number in range(20))
    Struck.left = turn
    with suppress(KeyboardInterrupt):
        for _ in Batch(executor, errands, None):
            pass
    Struck.left = 0
    for thread in executor.threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in executor.threads)

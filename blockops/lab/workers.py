"""Who does the work: processes of our own, or any executor that is given.

    Errand ──▶ Batch ──▶ an executor ──▶ Done, as each is done
                └─────▶ the store, where an earlier run has done it

Only so many errands are handed out at a time, so that a long list costs nothing.

An executor's locks are Python's own: an interrupt that strikes while this process takes one would leave
it taken, and the thread that brings the results would wait for ever.  So interrupts wait until the executor
is left.
"""

import gc
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Thread, current_thread, main_thread
from typing import Any, Generic, TypeVar

import attrs

from blockops.lab.store import Store

T = TypeVar("T")

HANDED_OUT = 256
"""How many errands are handed out at a time: enough for as many workers."""

GRACE = 3.0
"""How many seconds a worker has to end what it is at when all is over; most errands take a second."""


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let an interrupt (SIGINT, SIGTERM) of this process strike when the block is left, not within it."""
    if current_thread() is not main_thread():  # which alone is interrupted
        yield
        return
    met: list[int] = []
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in previous:
            signal.signal(number, lambda number, frame: met.append(number))
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if met:
            signal.raise_signal(met[0])


@attrs.frozen
class Errand(Generic[T]):
    """A piece of work: its name, unique within a run, what it is about, and what to call with what.

    Function and arguments can be pickled.
    """

    name: str
    about: str
    function: Callable[..., T]
    arguments: tuple[Any, ...]
    result: type[T]


@attrs.frozen
class Done(Generic[T]):
    """What came of an errand; *stored*: the store had it, nobody had to work."""

    errand: Errand[T]
    result: T
    stored: bool


@attrs.define
class Batch(Generic[T]):
    """Errands that are being done: the first are handed out at once, each result is met by iterating.

    What is done is stored before anybody sees it.
    """

    executor: Executor
    errands: Iterator[Errand[T]]
    store: Store | None
    _running: dict[Future[T], Errand[T]] = attrs.field(factory=dict)
    _known: list[Done[T]] = attrs.field(factory=list)
    _ended: "SimpleQueue[Future[T]]" = attrs.field(factory=SimpleQueue)

    def __attrs_post_init__(self) -> None:
        self._hand_out()

    def __iter__(self) -> Iterator[Done[T]]:
        try:
            while self._running or self._known:
                yield from self._taken()
                if self._running:
                    yield self._finished()
                self._hand_out()
        finally:
            with interrupts_wait():
                for future in self._running:
                    future.cancel()

    def _taken(self) -> list[Done[T]]:
        taken, self._known = self._known, []
        return taken

    def _finished(self) -> Done[T]:
        """Wait for one of those that are handed out."""
        future = self._ended.get()
        with interrupts_wait():
            errand, result = self._running.pop(future), future.result()
        if self.store is not None:
            self.store.keep(errand.name, result)
        return Done(errand, result, stored=False)

    def _hand_out(self) -> None:
        while len(self._running) < HANDED_OUT and len(self._known) < HANDED_OUT:
            errand = next(self.errands, None)
            if errand is None:
                return
            known = None if self.store is None else self.store.get(errand.name, errand.result)
            if known is None:
                self._submit(errand)
            else:
                self._known.append(Done(errand, known, stored=True))

    def _submit(self, errand: Errand[T]) -> None:
        with interrupts_wait():
            future = self.executor.submit(errand.function, *errand.arguments)
            self._running[future] = errand
            future.add_done_callback(self._ended.put)


@contextmanager
def own_workers(number: int, prepare: Callable[[], object]) -> Iterator[Executor]:
    """Yield *number* worker processes; *prepare* loads here what all of them need.

    They are ended with the block, and even where this process is killed.
    """
    prepare()
    executor = ProcessPoolExecutor(number, get_context("fork"), initializer=_begin)
    try:
        yield executor
    finally:
        processes = list((executor._processes or {}).values())  # no public way to end a busy worker
        with interrupts_wait():
            executor.shutdown(wait=False, cancel_futures=True)
        try:
            _wait(processes)
        finally:
            for process in processes:
                process.terminate()
            _wait(processes)


def _wait(processes: Iterable[BaseProcess]) -> None:
    """Give each worker a while to say what it has found: one cut off in mid-word leaves a listener."""
    last = time.monotonic() + GRACE
    for process in processes:
        process.join(max(0, last - time.monotonic()))


def _begin() -> None:
    """Begin a worker's life: a Ctrl-C is for the main process to hear, which then ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with_the_main_process, daemon=True).start()
    collect_seldom()


def collect_seldom() -> None:
    """Let the garbage collector look at what cases leave, and seldom."""
    gc.freeze()  # what is loaded by now stays; looking through it again and again would find nothing
    gc.set_threshold(10_000, 10, 100)  # a case is garbage as a whole: some tens of them at a time


def _end_with_the_main_process() -> None:
    main = parent_process()
    if main is not None:
        main.join()
        signal.raise_signal(signal.SIGTERM)

"""Other machines' workers: those of a dask.distributed scheduler, as an executor.

An errand crosses by names, so every worker needs this code and the packages that take part: the ones that
are there are asked before anything runs.  A worker that dies costs its errands nothing but time, because
the scheduler gives them to another; what has come back is never asked for again.
"""

import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import attrs

from blockops.lab.settings import Settings
from proposals.cli.exits import Unusable
from proposals.cli.stored import key_of

T = TypeVar("T")

PATIENCE = 10
"""How many seconds the scheduler has to answer, and to have a worker."""


@contextmanager
def cluster(address: str | None, settings: Settings) -> Iterator[Executor | None]:
    """Yield the workers of the scheduler at *address*; None where no address is given.

    Raises Unusable where dask.distributed is not installed, no scheduler is there, it has no workers, or
    one of them cannot judge what *settings* ask for as it would be judged here.
    """
    if address is None:
        yield None
        return
    if re.fullmatch(r"(tcp|tls)://\S+:\d+", address) is None:
        raise Unusable(f"--dask: '{address}' is no address of a scheduler; one reads tcp://HOST:PORT")
    try:
        from distributed import Client  # noqa: PLC0415  an optional extra
    except ImportError as error:
        raise Unusable("--dask needs dask.distributed: pip install 'blockops[dask]'") from error
    _be_quiet()
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except OSError as error:
        raise Unusable(f"--dask {address}: no scheduler answers there: {_why(error)}") from error
    with client:
        _look_at_workers(client, address, settings)
        try:
            yield OneAtATime(client)
        except CancelledError as error:
            lost = "the scheduler is gone; the same command goes on with what has been judged"
            raise Unusable(f"--dask {address}: {lost}") from error


def _be_quiet() -> None:
    """Let what is wrong be said by us, in one sentence."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _look_at_workers(client: Any, address: str, settings: Settings) -> None:
    """Raise Unusable unless all workers that are there have this very code, and the given images."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise Unusable(f"--dask {address}: the scheduler has no workers") from error
    try:
        codes = client.run(code_there, settings)
    except Exception as error:  # whatever a worker has to say, above all that it knows no such module
        raise Unusable(f"--dask {address}: a worker cannot take part: {_why(error)}") from error
    ours = code_there(settings)
    if others := [worker for worker, code in codes.items() if code != ours]:
        raise Unusable(f"--dask {address}: {others[0]} has other code or other versions than this machine")


def code_there(settings: Settings) -> str:
    """Return by what the code of this process is known that would judge *settings*."""
    return key_of(settings).code


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__


@attrs.define(eq=False)
class OneAtATime(Executor):
    """Hands on to the workers of *client*, which may be threads: of one process one works at a time.

    Every future ends.  One of dask's own executor stays open for ever where the scheduler dies while the
    result is on its way.
    """

    client: Any

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        here: Future[T] = Future()
        there = self.client.submit(alone, function, *arguments, **named)
        self.client.loop.add_callback(_bring, self.client, there, here)
        return here


async def _bring(client: Any, there: Any, here: Future[T]) -> None:
    """Let *here* end as *there* does; cancelled where the scheduler is gone, or goes meanwhile."""
    try:
        end = partial(here.set_result, await client.gather(there, asynchronous=True))
    except Exception as error:  # what the errand raised, or that nobody brings it
        end = partial(here.set_exception, error if there.status == "error" else CancelledError())
    if here.set_running_or_notify_cancel():
        end()


_at_work = Lock()


def alone(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call *function* while no other thread of this process does so; the lab remembers in plain values."""
    with _at_work:
        return function(*arguments, **named)

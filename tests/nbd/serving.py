"""A server in a thread of its own, for clients that know nothing of Python's event loops."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import attrs

from blockops.machine import Machine
from blockops.nbd.exports import Exports
from blockops.nbd.server import NbdServer
from blockops.nbd.traffic import Traffic
from blockops.steps import Steps

T = TypeVar("T")


@attrs.define(eq=False)
class Served:
    """A machine whose devices are exported on the socket at *path*."""

    machine: Machine
    path: Path
    loop: asyncio.AbstractEventLoop
    server: NbdServer

    def uri(self, name: str = "d0") -> str:
        """Where a client finds a device."""
        return f"nbd+unix:///{name}?socket={self.path}"

    def call(self, function: Callable[[], T]) -> T:
        """Call *function* in the server's thread."""

        async def called() -> T:
            value = function()
            self.server.traffic.advance()
            return value

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(30)

    def end(self) -> None:
        """End the server, as its program would."""
        asyncio.run_coroutine_threadsafe(self.server.end(), self.loop).result(30)

    def run(self, steps: Steps[T]) -> T:
        """Let *steps* go on while clients do, one step each time that the loop comes round."""

        async def stepped() -> T:
            while True:
                try:
                    next(steps)
                except StopIteration as stop:
                    value: T = stop.value
                    return value
                self.server.traffic.advance()
                await asyncio.sleep(0)

        return asyncio.run_coroutine_threadsafe(stepped(), self.loop).result(30)


@contextmanager
def served(machine: Machine, path: Path) -> Iterator[Served]:
    """Export the devices of *machine*; with the block it is closed."""
    server = NbdServer(Exports(machine.devices), Traffic())
    ready, stop, box = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        box.append(asyncio.get_running_loop())
        listening = await asyncio.start_unix_server(server.client, path)
        ready.set()
        try:
            await stop.wait()
        finally:
            listening.close()
            await server.end()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield Served(machine, path, box[0], server)
    finally:
        box[0].call_soon_threadsafe(stop.set)
        thread.join(30)
        machine.close()
    assert not thread.is_alive()

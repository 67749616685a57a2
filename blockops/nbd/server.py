"""A server of exports on a socket: any number of clients, each with any number of requests."""

import asyncio
import contextlib
from asyncio import IncompleteReadError, StreamReader, StreamWriter

import attrs

from blockops.nbd.exports import Exports
from blockops.nbd.negotiation import Negotiation
from blockops.nbd.protocol import Malformed
from blockops.nbd.traffic import Traffic
from blockops.nbd.transmission import Transmission

_GONE = (IncompleteReadError, ConnectionError)


@attrs.define(eq=False)
class NbdServer:
    """Serves *exports* to any number of clients."""

    exports: Exports
    traffic: Traffic
    _clients: "set[asyncio.Task[None]]" = attrs.field(factory=set)

    async def client(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one client from its first byte to its last: for `asyncio.start_server` and its like."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            agreed = await Negotiation(reader, writer, self.exports).agree()
            if agreed is not None:
                await Transmission(reader, writer, agreed, self.traffic).serve()
        except (Malformed, *_GONE):
            pass  # NBD: whoever does not keep to the protocol is disconnected
        except asyncio.CancelledError:
            pass  # `end`; nobody else cancels
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(*_GONE):
                await writer.wait_closed()

    async def end(self) -> None:
        """Disconnect every client; what is in flight is done first, what a gate holds back is not."""
        self.traffic.advance()
        await asyncio.sleep(0)  # those who were told write their answers
        self.traffic.give_up()
        for task in tuple(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

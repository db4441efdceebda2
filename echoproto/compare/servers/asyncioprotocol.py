"""
An echo on asyncio's low-level API: a protocol that writes the received data; also used with uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

from echoproto.compare.servers.arguments import BACKLOG, HOST, parse, tls_context


class Echo(asyncio.Protocol):
    """Send back every byte."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transport has another class

    def data_received(self, data: bytes) -> None:  # noqa: D102
        self.transport.write(data)

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read its replies (back-pressure)."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:  # noqa: D102
        self.transport.resume_reading()


class EchoDatagrams(asyncio.DatagramProtocol):
    """Send back every datagram."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # noqa: D102
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: D102
        self.transport.sendto(data, addr)


async def serve(given: argparse.Namespace) -> None:
    """Serve until the process is killed."""
    loop = asyncio.get_running_loop()
    if given.transport == "udp":
        await loop.create_datagram_endpoint(EchoDatagrams, (HOST, given.port))
        await asyncio.Event().wait()
    server = await loop.create_server(Echo, HOST, given.port, backlog=BACKLOG, ssl=tls_context(given))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(parse("tcp", "tls", "udp")))

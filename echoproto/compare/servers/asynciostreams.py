"""
An echo on asyncio's high-level API: a coroutine for each connection reads and writes.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from echoproto.compare.servers.arguments import BACKLOG, HOST, RECEIVE_SIZE, parse, tls_context


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back every byte of one connection."""
    with suppress(ConnectionError):  # the peer is gone
        while data := await reader.read(RECEIVE_SIZE):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(given: argparse.Namespace) -> None:
    """Serve until the process is killed."""
    server = await asyncio.start_server(echo, HOST, given.port, backlog=BACKLOG, ssl=tls_context(given))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(parse("tcp", "tls")))

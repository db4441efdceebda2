"""
An echo of asyncio's upper level: a coroutine for each connection, which reads and writes.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from echoproto.compare.servers.arguments import BACKLOG, CHUNK, HOST, parse, tls_context


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back every byte of one connection."""
    with suppress(ConnectionError):  # the peer has gone away
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(given: argparse.Namespace) -> None:
    """Serve until it is killed."""
    server = await asyncio.start_server(echo, HOST, given.port, backlog=BACKLOG, ssl=tls_context(given))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(parse("tcp", "tls")))

"""
The echo on asyncio's low-level API, on uvloop's event loop.
"""

from __future__ import annotations

import asyncio

import uvloop

from echoproto.compare.servers.arguments import parse
from echoproto.compare.servers.asyncioprotocol import serve

if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parse("tcp", "tls", "udp")))

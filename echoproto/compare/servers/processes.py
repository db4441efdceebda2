"""
An echo of the standard library's ``socketserver``: a process for each connection, forked when it comes.
"""

from __future__ import annotations

import socketserver

from echoproto.compare.servers.arguments import BACKLOG, HOST, parse
from echoproto.compare.servers.threads import Echo

MOST = 20_000
"""Processes at once, in place of 40; who starts this answers for there being memory for them."""


class Server(socketserver.ForkingTCPServer):
    """A process per connection."""

    request_queue_size = BACKLOG
    allow_reuse_address = True
    max_children = MOST
    block_on_close = False


if __name__ == "__main__":
    with Server((HOST, parse("tcp").port), Echo) as server:
        server.serve_forever()

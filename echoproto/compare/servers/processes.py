"""
An echo on the standard library's ``socketserver``: a forked process for each connection.
"""

from __future__ import annotations

import socketserver

from echoproto.compare.servers.arguments import BACKLOG, HOST, parse
from echoproto.compare.servers.threads import Echo

MAX_PROCESSES = 20_000
"""Maximum number of concurrent processes, in place of 40; the caller must have memory for them."""


class Server(socketserver.ForkingTCPServer):
    """Fork a process per connection."""

    request_queue_size = BACKLOG
    allow_reuse_address = True
    max_children = MAX_PROCESSES
    block_on_close = False


if __name__ == "__main__":
    with Server((HOST, parse("tcp").port), Echo) as server:
        server.serve_forever()

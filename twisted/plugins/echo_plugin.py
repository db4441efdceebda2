"""What this package adds to ``twistd``: names only, so that looking for plugins imports nothing of it."""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

echo = ServiceMaker(
    "echo",
    "echoproto.server.tap",
    "An echo service: every byte comes back, on the reactor that you name.",
    "echo",
)

uvloop = Reactor(
    "uvloop",
    "echoproto.reactors.uvloop",
    "An asyncio reactor on uvloop's event loop (libuv).",
)

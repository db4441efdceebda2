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

lean_epoll = Reactor(
    "lean-epoll",
    "echoproto.reactors.leanepoll",
    "Twisted's epoll reactor, which writes at once and does less for each event.",
)

lean_poll = Reactor(
    "lean-poll",
    "echoproto.reactors.leanpoll",
    "Twisted's poll reactor, which writes at once and does less for each event.",
)

lean_kqueue = Reactor(
    "lean-kqueue",
    "echoproto.reactors.leankqueue",
    "Twisted's kqueue reactor, which writes at once and does less for each event.",
)

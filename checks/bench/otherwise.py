"""
Trials of `checks.bench.trials`: each changes one detail of the process that calls it.
"""

from __future__ import annotations

import gc
import inspect
import select
import socket
import textwrap
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.epollreactor import EPollReactor

from echoproto.protocol import EchoFactory
from echoproto.reactors import leanepoll
from echoproto.reactors.lean import Lean
from echoproto.reactors.transports import WritesAtOnce
from echoproto.server.sockets import connection as reading
from echoproto.server.sockets.connection import TCPConnection

LARGE = 256 << 10
"""Maximum bytes per read of asyncio."""


@define
class Setting:
    """
    Settings that a trial may replace, in addition to modules and classes; each trial has its own process.

    :ivar connected: called when all clients are connected.
    """

    reactor: type[Any] = leanepoll.LeanEPollReactor
    transport: type[Any] = TCPConnection
    connected: Callable[[], object] = bool


class Bare:
    """Substitute for a reactor: epoll_wait(2), recv(2) and send(2), with the cost of Python."""

    running = True

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._connections: dict[int, socket.socket] = {}

    def listenTCP(self, number: int, factory: EchoFactory, interface: str) -> Any:
        """Listen; accepted sockets join the factory's connections, to be counted."""
        self._listener, self._factory = socket.create_server((interface, number)), factory
        self._epoll.register(self._listener, select.EPOLLIN)
        return self

    def getHost(self) -> IPv4Address:
        """Return the address of the listener."""
        return IPv4Address("TCP", *self._listener.getsockname())

    def callLater(self, *_: object) -> None:
        """Do nothing: there are no timers."""

    def runUntilCurrent(self) -> None:
        """Do nothing: there are no timers."""

    def timeout(self) -> float:
        """Return no timeout."""
        return -1

    def doIteration(self, timeout: float) -> None:
        """Echo the data of all ready sockets."""
        for descriptor, _ in self._epoll.poll(timeout, leanepoll.MAX_EVENTS_PER_TURN):
            if connection := self._connections.get(descriptor):
                connection.send(connection.recv(reading.SMALL_READ))
            else:
                accepted, _ = self._listener.accept()
                accepted.setblocking(False)
                self._connections[accepted.fileno()] = accepted
                self._factory.connections.add(accepted)  # type: ignore[arg-type]
                self._epoll.register(accepted, select.EPOLLIN)


def nothing_but_the_calls(setting: Setting) -> None:
    """epoll_wait(2), recv(2) and send(2) in a loop of Python, without a reactor, protocols or counters"""
    setting.reactor = Bare


def received_into_a_buffer(_: Setting) -> None:
    """recv_into(2) into one buffer for all connections; a protocol is given bytes of its own"""
    buffer = memoryview(bytearray(reading.LARGE_READ))

    def receive(connection: Any, size: int) -> bytes:
        return bytes(buffer[: connection.socket.recv_into(buffer, size)])

    vars(reading)["receive"] = receive
    _rewrite(TCPConnection, "doRead", ("self.socket.recv(", "receive(self, "))


def methods_looked_up_once(_: Setting) -> None:
    """recv, send and dataReceived kept by each connection, not looked up for each event"""
    made = TCPConnection.__init__

    def keep(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        self.receive, self.send, self.received = self.socket.recv, self.socket.send, self.protocol.dataReceived

    TCPConnection.__init__ = keep  # type: ignore[method-assign,assignment]
    _rewrite(
        TCPConnection,
        "doRead",
        ("self.socket.recv(", "self.receive("),
        ("self.protocol.dataReceived(", "self.received("),
    )
    _rewrite(WritesAtOnce, "write", ("self.socket.send(", "self.send("), ("super()", "super(WritesAtOnce, self)"))


def large_reads(_: Setting) -> None:
    """256 KiB at a time, always, as asyncio has it"""
    TCPConnection._read_size = reading.SMALL_READ = LARGE


def few_events(_: Setting) -> None:
    """epoll_wait(2) for 64 events at a time"""
    leanepoll.MAX_EVENTS_PER_TURN = 64


def many_events(_: Setting) -> None:
    """epoll_wait(2) for 4,096 events at a time"""
    leanepoll.MAX_EVENTS_PER_TURN = 4096


def garbage_frozen(setting: Setting) -> None:
    """gc.freeze() when all are connected"""
    setting.connected = gc.freeze


def no_collector(setting: Setting) -> None:
    """gc.disable() when all are connected"""
    setting.connected = gc.disable


def timers_each_turn(_: Setting) -> None:
    """undone: turns in which timers are left alone if none is due"""
    Lean._turn = turn_of_twisted  # type: ignore[method-assign,assignment]


def context_for_each_event(setting: Setting) -> None:
    """undone: one log context for all events of a turn, and the turns above (that is Twisted's epoll reactor)"""
    setting.reactor = EPollReactor


def writes_buffered(setting: Setting) -> None:
    """undone: writes at once (that is Twisted's transport)"""
    setting.transport = tcp.Server


TRIALS: dict[str, Callable[[Setting], None]] = {
    each.__name__.replace("_", " "): each
    for each in (
        *(nothing_but_the_calls, received_into_a_buffer, methods_looked_up_once, large_reads, few_events),
        *(many_events, garbage_frozen, no_collector, timers_each_turn, context_for_each_event, writes_buffered),
    )
}


def _rewrite(owner: type, name: str, *changes: tuple[str, str]) -> None:
    """Compile a method again from its source with changes, so that it differs in them alone."""
    method = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(method))
    for old, new in changes:
        assert old in source, f"there is no {old!r} in {name}"
        source = source.replace(old, new)
    made: dict[str, Any] = {}
    exec(source, method.__globals__, made)
    setattr(owner, name, made[name])


def turn_of_twisted(reactor: Any) -> None:
    """Run one turn of Twisted's main loop."""
    reactor.runUntilCurrent()
    reactor.doIteration(reactor.running and reactor.timeout())

"""
A load over UDP.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns

from echoproto.errors import ConfigurationError
from echoproto.load.address import Address, resolve
from echoproto.load.client.datagrams import MIN_DATAGRAM_BYTES, Datagrams, count_lost
from echoproto.load.client.messages import Settings
from echoproto.load.client.meter import Meter
from echoproto.load.client.poller import READ, WRITE, Poller, make_poller
from echoproto.load.client.senders import STARTS_PER_TURN, ClosedLoop, make_pacing
from echoproto.load.errors import nothing_reached
from echoproto.load.workload import Workload
from echoproto.units import NS

LOSS_TIMEOUT = NS
"""ns after which a datagram without an echo counts as lost."""

MAX_DATAGRAM_BYTES = 65_507
"""Maximum bytes of a datagram over IPv4; IPv6 has room for 20 more."""

RECEIVE_BUFFER = 1 << 22
"""Bytes of receive buffer to request, so that the system drops no echoes."""

REFUSAL_SECONDS = 0.05
"""Seconds to wait for an address of this machine to refuse a datagram."""

INODE_COLUMN = 9
"""Column of /proc/net/udp (proc_net(5)) with the inode of the socket."""

DROPS_COLUMN = -1
"""Column of the same file with the datagrams dropped because the receive buffer was full."""


class UDPSocket:
    """
    One socket and its datagrams, a `echoproto.load.client.senders.Sender`.

    :ivar waiting: intended send times of waiting messages, in ns.
    :ivar drawn: always empty; messages are made when they are sent.
    :raise OSError: if the socket can't be made.
    """

    def __init__(self, datagrams: Datagrams, address: Address, poller: Poller) -> None:
        self.datagrams = datagrams
        self.waiting: deque[int] = deque()
        self.drawn: list[bytes] = []
        self._poller = poller
        self._mask = READ
        self._socket = made = address.make_socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            made.connect(address.address)
        except OSError:
            made.close()
            raise
        self.fd = made.fileno()
        self.recv, self.send, self.close = made.recv, made.send, made.close
        poller.register(self.fd, READ)

    def wait_for(self, mask: int) -> None:
        """Wait for readiness to read, write, or both."""
        if mask != self._mask:
            self._mask = mask
            self._poller.modify(self.fd, mask)


class UDPLoad:
    """
    All sockets of a load.

    :ivar accounts: datagrams of each socket, with their byte counts.
    :ivar working: sockets with work left.
    :ivar last: time of the last received datagram, in ns.
    :ivar reason: reason of the last failure, safe to print.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: float) -> None:
        if not MIN_DATAGRAM_BYTES <= workload.smallest <= workload.largest <= MAX_DATAGRAM_BYTES:
            raise ConfigurationError(
                f"size: a datagram of a load has {MIN_DATAGRAM_BYTES} to {MAX_DATAGRAM_BYTES} bytes"
            )
        if workload.churn or workload.half_close or workload.proxy or workload.idle or workload.greeting:
            raise ConfigurationError(
                "UDP has no connections: no churn, half-close, idle ones, greeting or PROXY header"
            )
        self._workload = workload
        self._meter = meter
        self._poller = make_poller()
        self._pacing: ClosedLoop[UDPSocket] = make_pacing(workload, first, self._poller, meter.lag, self._fill)
        self.working = self._pacing.working
        self.last = 0
        self.reason = ""
        self._patience = int(patience * NS)
        self._begun = 0
        self._address: Address
        self._by_fd: dict[int, UDPSocket] = {}
        settings = Settings(
            seed=workload.seed,
            smallest=workload.smallest,
            largest=workload.largest,
            greeting=None,
            supply=self._pacing.supply,
            service=meter.service,
            response=None if workload.rate is None else meter.response,
        )
        self.accounts = [Datagrams(first + number, settings) for number in range(workload.connections)]

    def connect(self, _wait: Callable[[], None]) -> None:
        """
        Make all sockets; a missing service shows only when something is sent.

        :raise EchoError: if no socket could be made.
        """
        outcome = self._meter.outcome
        self._address = choose(resolve(self._workload.target))
        for datagrams in self.accounts:
            try:
                made = UDPSocket(datagrams, self._address, self._poller)
            except OSError as error:
                self._failed(error)
            else:
                outcome.connected += 1
                self._by_fd[made.fd] = made
        if not self._by_fd:
            raise nothing_reached(self._workload, outcome, self.reason)

    def _failed(self, error: OSError) -> None:
        """Count an error of a socket, most often the refusal of an earlier datagram."""
        code = error.errno or 0
        self.reason = os.strerror(code)
        if limit := self._address.local_limit(code):
            self._meter.outcome.own_limits[limit] += 1
        else:
            self._meter.error(errno.errorcode.get(code, "unknown"))

    @property
    def reached(self) -> bool:
        """True if a datagram was received, or none was sent."""
        return bool(self.last or not any(datagrams.sent for datagrams in self.accounts))

    @property
    def unsent(self) -> int:
        """Messages due, but not sent in time."""
        return self._pacing.unsent

    def begin(self, count: int | None, *, half_close: bool) -> None:
        """Start sending: a number of messages, or ``None`` for no limit; UDP has no half-close."""
        self._begun = monotonic_ns()
        self._pacing.begin(list(self._by_fd.values()), count)

    def turn(self, until: int) -> None:
        """Handle events until a time in ns, or until no socket is working."""
        while self.working and (events := self._pacing.wait(until)) is not None:
            for fd, mask in events:
                self._handle(self._by_fd[fd], mask)

    def _fill(self, one: UDPSocket) -> None:
        """Send messages until the window is full."""
        pacing, datagrams, waiting = self._pacing, one.datagrams, one.waiting
        flight, scheduled, window = datagrams.flight, pacing.scheduled, self._workload.window
        mask = READ
        begun = 0
        while len(flight) < window and (waiting if scheduled else pacing.supply.take(1)):
            now = monotonic_ns()
            data = datagrams.begin(now, waiting[0] if scheduled else now)
            begun += 1
            try:
                one.send(data)
            except BlockingIOError:
                datagrams.take_back(data)
                pacing.supply.left += not scheduled
                mask = READ | WRITE
                break
            except OSError as error:
                self._failed(error)  # the datagram stays in flight, as if lost on its way
            if scheduled:
                waiting.popleft()
            if begun == STARTS_PER_TURN:
                mask = READ | WRITE  # continue with the next event, after those of other sockets
                break
        one.wait_for(mask)
        if not flight:
            pacing.rest(one)

    def _handle(self, one: UDPSocket, mask: int) -> None:
        if mask & ~WRITE:
            self._receive(one)
        self._fill(one)

    def _receive(self, one: UDPSocket) -> None:
        try:
            while True:
                data = one.recv(MAX_DATAGRAM_BYTES + 1)
                self.last = now = monotonic_ns()
                if harm := one.datagrams.received(data, now):
                    self._meter.finding(harm.kind, harm.words)
                if self._workload.window == 1:
                    break  # the next event announces further datagrams
        except BlockingIOError:
            pass  # everything is received
        except OSError as error:
            self._failed(error)

    def stop(self, now: int) -> None:
        """Start no more messages, as of a time in ns."""
        self._pacing.stop(now)
        for one in list(self.working):
            if not one.datagrams.flight:
                self._pacing.rest(one)

    def check(self, now: int) -> None:
        """
        Give up datagrams that were not echoed in time.

        :raise EchoError: if nothing was ever received, `LOSS_TIMEOUT` after the start if the system reported an error,
            else when the patience ends.
        """
        meter = self._meter
        for one in self._by_fd.values():
            if said := one.datagrams.expire(now - LOSS_TIMEOUT):
                for words in said:
                    meter.tell(words)
                self._fill(one)
        count_lost(self.accounts, meter.outcome.findings)
        silent = now - max(self._begun, self.last)
        if not self.last and self.working and silent > (LOSS_TIMEOUT if meter.outcome.errors else self._patience):
            raise nothing_reached(self._workload, meter.outcome, self.reason)
        if not self._pacing.scheduled and silent > self._patience and self._pacing.supply.left:
            meter.error("no progress")
            self.stop(now)

    def interrupt(self) -> None:
        """End at once; datagrams in flight count as unknown."""
        self.working.clear()

    def finish(self) -> None:
        """Receive late datagrams, and count those that this machine dropped."""
        for one in self._by_fd.values():
            self._receive(one)
            one.datagrams.abandon()  # after an interruption; what has come by then is known
        count_lost(self.accounts, self._meter.outcome.findings)
        if dropped := sum(drops({os.fstat(fd).st_ino for fd in self._by_fd})):
            self._meter.outcome.own_limits["receive buffer"] += dropped

    def close(self) -> None:
        """Close all sockets."""
        for one in self._by_fd.values():
            one.close()
        self._poller.close()


def choose(addresses: list[Address]) -> Address:
    """
    Return the first address that does not refuse an empty datagram, else the first.

    UDP has no connection whose failure would show a missing service. The wait is as long as a refusal takes on this
    machine, because an echo may reply to an empty datagram or ignore it.
    """
    for address in addresses if len(addresses) > 1 else []:
        with suppress(OSError), address.make_socket() as probe:
            probe.connect(address.address)
            probe.send(b"")
            if not select.select([probe], [], [], REFUSAL_SECONDS)[0]:
                return address
            probe.recv(1)  # raises the refusal, if there was one
            return address
    return addresses[0]


def drops(inodes: set[int]) -> list[int]:
    """Return the numbers of datagrams that Linux dropped for sockets, given by inode."""
    found = []
    for name in ("/proc/net/udp", "/proc/net/udp6"):
        if os.path.exists(name):
            with open(name, encoding="ascii") as file:
                fields = [line.split() for line in file.readlines()[1:]]
            found += [int(field[DROPS_COLUMN]) for field in fields if int(field[INODE_COLUMN]) in inodes]
    return found

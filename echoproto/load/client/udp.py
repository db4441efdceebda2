"""
A load over UDP: its sockets, and the fate of their datagrams.
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
from echoproto.load.client.datagrams import SMALLEST, Datagrams, count_lost
from echoproto.load.client.messages import Settings
from echoproto.load.client.meter import Meter
from echoproto.load.client.poller import READ, WRITE, Poller, make_poller
from echoproto.load.client.senders import STARTS_PER_TURN, ClosedLoop, make_pacing
from echoproto.load.errors import nothing_reached
from echoproto.load.workload import Workload
from echoproto.units import NS

TIMEOUT = NS
"""ns after which a datagram that has not come back is lost."""

LARGEST = 65_507
"""Bytes that fit into a datagram over IPv4, and (but for 20 more) over IPv6."""

RECEIVE_BUFFER = 1 << 22
"""Bytes that are asked of the system, so that it doesn't drop what has come back."""

REFUSAL = 0.05
"""Seconds after which an address of this machine would have refused a datagram."""

DROPS = -1
"""Column of /proc/net/udp (proc_net(5)): datagrams that were dropped for want of room. The inode is the tenth."""


class UDPSocket:
    """
    One socket, and its datagrams; a `echoproto.load.client.senders.Sender`.

    :ivar waiting: times at which the messages that wait for their turn should have been sent, in ns.
    :ivar drawn: none: messages are made when they are sent.
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

    :ivar accounts: datagrams of each socket, which know how many bytes were sent and came back.
    :ivar working: sockets that have not done all that they have to do.
    :ivar last: time at which anything came back last, in ns.
    :ivar reason: the latest reason why something can't be reached.
    """

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: float) -> None:
        if not SMALLEST <= workload.smallest <= workload.largest <= LARGEST:
            raise ConfigurationError(f"size: a datagram of a load has {SMALLEST} to {LARGEST} bytes")
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
        Make all sockets; a service that is not there shows only when something is sent.

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
        """Count what a socket says of itself, or of what it has sent: mostly that nothing listens there."""
        code = error.errno or 0
        self.reason = os.strerror(code)
        if limit := self._address.local_limit(code):
            self._meter.outcome.own_limits[limit] += 1
        else:
            self._meter.error(errno.errorcode.get(code, "unknown"))

    @property
    def reached(self) -> bool:
        """True if anything came back, or if nothing was sent."""
        return bool(self.last or not any(datagrams.sent for datagrams in self.accounts))

    @property
    def unsent(self) -> int:
        """Messages that were due, and not sent before the time was over."""
        return self._pacing.unsent

    def begin(self, count: int | None, *, half_close: bool) -> None:
        """Begin to send so many messages, or as many as there is time for; there are no sides to close."""
        self._begun = monotonic_ns()
        self._pacing.begin(list(self._by_fd.values()), count)

    def turn(self, until: int) -> None:
        """Deal with what happens, up to a time in ns, or until nothing is working."""
        while self.working and (events := self._pacing.wait(until)) is not None:
            for fd, mask in events:
                self._handle(self._by_fd[fd], mask)

    def _fill(self, one: UDPSocket) -> None:
        """Send as many messages as may be in flight."""
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
                self._failed(error)  # it is gone all the same, as if lost on its way
            if scheduled:
                waiting.popleft()
            if begun == STARTS_PER_TURN:
                mask = READ | WRITE  # the next event, which comes at once, is for others, too
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
                data = one.recv(LARGEST + 1)
                self.last = now = monotonic_ns()
                if harm := one.datagrams.received(data, now):
                    self._meter.finding(harm.kind, harm.words)
                if self._workload.window == 1:
                    break  # what else there is comes with the next event
        except BlockingIOError:
            pass  # all was received
        except OSError as error:
            self._failed(error)

    def stop(self, now: int) -> None:
        """Send no more messages, as of a time in ns."""
        self._pacing.stop(now)
        for one in list(self.working):
            if not one.datagrams.flight:
                self._pacing.rest(one)

    def check(self, now: int) -> None:
        """
        Give up what has not come back in time.

        :raise EchoError: if nothing ever came back, and the system says why, or it has been so for long.
        """
        meter = self._meter
        for one in self._by_fd.values():
            if said := one.datagrams.expire(now - TIMEOUT):
                for words in said:
                    meter.tell(words)
                self._fill(one)
        count_lost(self.accounts, meter.outcome.findings)
        silent = now - max(self._begun, self.last)
        if not self.last and self.working and silent > (TIMEOUT if meter.outcome.errors else self._patience):
            raise nothing_reached(self._workload, meter.outcome, self.reason)
        if not self._pacing.scheduled and silent > self._patience and self._pacing.supply.left:
            meter.error("no progress")
            self.stop(now)

    def interrupt(self) -> None:
        """End at once: what has not come back need not have."""
        self.working.clear()

    def finish(self) -> None:
        """Take what has come late, and see whether this machine itself has dropped anything."""
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
    Return the first address that does not refuse an empty datagram, else the first: UDP has no connection that tells.

    An echo replies to it, or takes no notice; neither is waited for any longer than a refusal takes on this machine.
    """
    for address in addresses if len(addresses) > 1 else []:
        with suppress(OSError), address.make_socket() as probe:
            probe.connect(address.address)
            probe.send(b"")
            if not select.select([probe], [], [], REFUSAL)[0]:
                return address
            probe.recv(1)  # unless it raises what was refused
            return address
    return addresses[0]


def drops(inodes: set[int]) -> list[int]:
    """Return the numbers of datagrams that the system has dropped of sockets, given by inode; of Linux only."""
    found = []
    for name in ("/proc/net/udp", "/proc/net/udp6"):
        if os.path.exists(name):
            with open(name, encoding="ascii") as file:
                fields = [line.split() for line in file.readlines()[1:]]
            found += [int(field[DROPS]) for field in fields if int(field[9]) in inodes]
    return found

"""
A load over UDP: its sockets, and what becomes of their datagrams.
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
from echoproto.load.client.meter import NS, Meter
from echoproto.load.client.poller import READ, WRITE
from echoproto.load.client.senders import AT_ONCE, Sending
from echoproto.load.errors import nothing_reached
from echoproto.load.workload import Workload

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

    :ivar waiting: when the messages that wait for their turn should have been sent, in ns.
    :ivar messages: none: they are made when they are sent.
    """

    def __init__(self, number: int, owner: UDPLoad) -> None:
        self.datagrams = Datagrams(number, owner.settings)
        self.waiting: deque[int] = deque()
        self.messages: list[bytes] = []
        self.socket: socket.socket | None = None
        self._owner = owner
        self._mask = READ

    def open(self, address: Address) -> None:
        """
        Make the socket.

        :raise OSError: if that fails.
        """
        made = address.make_socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            made.connect(address.address)
        except OSError:
            made.close()
            raise
        self.socket = made
        self._recv, self._send = made.recv, made.send
        self._owner.poller.register(made.fileno(), READ)

    @property
    def in_flight(self) -> int:
        """How many datagrams are."""
        return len(self.datagrams.flight)

    def give_back(self) -> None:
        """There is nothing to give back."""

    def close_sending(self) -> None:
        """There is no such thing."""

    def fill(self) -> None:
        """Send as many messages as may be in flight."""
        owner, datagrams = self._owner, self.datagrams
        flight, waiting, agenda = datagrams.flight, self.waiting, owner.agenda
        blocked = False
        begun = 0
        while len(flight) < owner.window and not blocked:
            if begun == AT_ONCE:
                blocked = True  # the next event, which comes at once, is for others, too
                break
            begun += 1
            if (not waiting) if agenda is not None else not owner.supply.take(1):
                break
            now = monotonic_ns()
            data = datagrams.begin(now, now if agenda is None else waiting[0])
            try:
                self._send(data)
            except BlockingIOError:
                blocked = True
                datagrams.take_back(data)
                owner.supply.left += agenda is None
            except OSError as error:
                owner.failed(error)  # it is gone all the same, as if lost on its way
            if waiting and not blocked:
                waiting.popleft()
        mask = READ | WRITE if blocked else READ
        if mask != self._mask and self.socket is not None:
            self._mask = mask
            owner.poller.modify(self.socket.fileno(), mask)
        if not flight:
            owner.rests(self)

    def handle(self, mask: int) -> None:
        """See `echoproto.load.client.senders.Sender`."""
        owner = self._owner
        try:
            while mask & ~WRITE:
                data = self._recv(LARGEST + 1)
                owner.last = now = monotonic_ns()
                harm = self.datagrams.received(data, now)
                if harm is not None:
                    owner.meter.finding(harm.kind, harm.words)
                if owner.window == 1:
                    break  # what else there is comes with the next event
        except BlockingIOError:
            pass  # all was received
        except OSError as error:
            owner.failed(error)
        self.fill()


class UDPLoad(Sending[UDPSocket]):
    """All sockets of a load."""

    def __init__(self, workload: Workload, meter: Meter, first: int, patience: float) -> None:
        super().__init__(workload, meter, first)
        if not SMALLEST <= workload.smallest <= workload.largest <= LARGEST:
            raise ConfigurationError(f"size: a datagram of a load has {SMALLEST} to {LARGEST} bytes")
        if workload.churn or workload.half_close or workload.proxy or workload.idle or workload.greeting:
            raise ConfigurationError(
                "UDP has no connections: no churn, half-close, idle ones, greeting or PROXY header"
            )
        self._workload = workload
        self._patience = int(patience * NS)
        self.address: Address
        self._begun = 0
        self.settings = Settings(
            seed=workload.seed,
            smallest=workload.smallest,
            largest=workload.largest,
            greeting=None,
            supply=self.supply,
            service=meter.service,
            response=None if workload.rate is None else meter.response,
        )
        self._all = [UDPSocket(first + number, self) for number in range(workload.connections)]

    def connect(self, _wait: Callable[[], None]) -> None:
        """
        Make all sockets; whether anybody is there shows only when something is sent.

        :raise EchoError: if there is none.
        """
        outcome = self.meter.outcome
        self.address = choose(resolve(self._workload.target))
        for one in self._all:
            try:
                one.open(self.address)
            except OSError as error:
                self.failed(error)
            else:
                outcome.connected += 1
                if one.socket is not None:
                    self.links[one.socket.fileno()] = one
        if not self.links:
            raise nothing_reached(self._workload, outcome, self.reason)

    def failed(self, error: OSError) -> None:
        """A socket says why it can't be used, or what became of what it has sent: mostly that nothing listens there."""
        code = error.errno or 0
        self.reason = os.strerror(code)
        if limit := self.address.local_limit(code):
            self.meter.outcome.own_limits[limit] += 1
        else:
            self.meter.error(errno.errorcode.get(code, "unknown"))

    @property
    def reached(self) -> bool:
        """True if anything came back, or if nothing was sent."""
        return bool(self.last or not any(one.datagrams.sent for one in self._all))

    def senders(self) -> list[UDPSocket]:
        """See `Sending.senders`."""
        self._begun = monotonic_ns()
        return list(self.links.values())

    def check(self, now: int) -> None:
        """
        Give up what has not come back in time.

        :raise EchoError: if nothing ever came back, and the system says why, or it has been so for long.
        """
        meter = self.meter
        for one in self.links.values():
            if said := one.datagrams.expire(now - TIMEOUT):
                for words in said:
                    meter.tell(words)
                one.fill()
        count_lost([one.datagrams for one in self._all], meter.outcome.findings)
        silent = now - max(self._begun, self.last)
        if not self.last and self.working and silent > (TIMEOUT if meter.outcome.errors else self._patience):
            raise nothing_reached(self._workload, meter.outcome, self.reason)
        if self.agenda is None and silent > self._patience and self.supply.left:
            meter.error("no progress")
            self.stop(now)

    def totals(self) -> tuple[int, int, int, int]:
        """Bytes sent, acked, lost and unknown."""
        every = [one.datagrams for one in self._all]
        return (
            sum(datagrams.sent for datagrams in every),
            sum(datagrams.acked for datagrams in every),
            sum(datagrams.lost for datagrams in every),
            sum(datagrams.unknown for datagrams in every),
        )

    def interrupt(self) -> None:
        """End at once: what has not come back need not have."""
        for one in self._all:
            one.datagrams.abandon()
        self.working.clear()

    def finish(self) -> None:
        """Take what has come late, and see whether this machine itself has dropped anything."""
        for one in self.links.values():
            one.handle(READ)
        count_lost([one.datagrams for one in self._all], self.meter.outcome.findings)
        if dropped := sum(drops({os.fstat(fd).st_ino for fd in self.links})):
            self.meter.outcome.own_limits["receive buffer"] += dropped

    def close(self) -> None:
        """Close all sockets."""
        for one in self.links.values():
            if one.socket is not None:
                one.socket.close()
        self.poller.close()


def choose(addresses: list[Address]) -> Address:
    """
    The first address that does not refuse an empty datagram, else the first: a connection would tell, and UDP has none.

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
    """How many datagrams the system has dropped of some sockets, given by their inodes; of Linux only."""
    found = []
    for name in ("/proc/net/udp", "/proc/net/udp6"):
        if os.path.exists(name):
            with open(name, encoding="ascii") as file:
                fields = [line.split() for line in file.readlines()[1:]]
            found += [int(field[DROPS]) for field in fields if int(field[9]) in inodes]
    return found

import errno
import socket
from collections import Counter
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.error import MessageLengthError
from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.trial.unittest import SynchronousTestCase

from echoproto.datagram import REFUSALS, SERVICE_PORTS, Budgets, EchoDatagram, why_not_address

CLIENT = "192.0.2.1"


class Counts:
    def __init__(self) -> None:
        self.datagrams_echoed = 0
        self.datagrams_refused: Counter[str] = Counter()
        self.datagrams_failed: Counter[str] = Counter()

    def total(self) -> int:
        return self.datagrams_echoed + self.datagrams_refused.total() + self.datagrams_failed.total()


class Transport(FakeDatagramTransport):
    """One that has an address, and can fail."""

    problem: Exception | None = None

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "127.0.0.1", self.port)

    def write(self, packet: bytes, addr: Any = None) -> None:
        if self.problem is not None:
            raise self.problem
        super().write(packet, addr)


class DatagramCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.counts = Counts()
        self.protocol = self.listen(8888, self.counts)
        self.transport = self.protocol.transport

    def listen(self, port: int, counts: Counts) -> Any:
        protocol = EchoDatagram(counts, seconds=self.clock.seconds)
        protocol.makeConnection(Transport(port))
        self.addCleanup(lambda: protocol.numPorts and protocol.doStop())
        return protocol

    def why_not(self, host: str, port: int) -> str | None:
        """Why a datagram gets no reply, as counted; it is a reason that is told in words, too."""
        before = self.counts.datagrams_refused.copy()
        sent = len(self.transport.written)
        self.protocol.datagramReceived(b"x", (host, port))
        new = self.counts.datagrams_refused - before
        self.assertEqual(len(self.transport.written) - sent, 0 if new else 1)
        [why] = new or [None]
        self.assertIn(why, [None, *REFUSALS])
        return why


class EchoDatagramTests(DatagramCase):
    def test_the_words_for_each_refusal(self) -> None:
        """Scripts read the keys, as counters, and people the words: none may change unawares."""
        self.assertEqual(
            REFUSALS,
            {
                "source port 0": "nothing can be sent to port 0",
                "own port": "from a port number on which this process echoes datagrams, whatever the address",
                "service port": "from the port of a service that may answer: 7, 9, 13, 17, 19, 37 or 2049",
                "privileged port": "from a port below 1024",
                "multicast source": "from a multicast address",
                "reserved source": "from 0.0.0.0/8, 240.0.0.0/4 (which holds 255.255.255.255) or ::",
                "sent to a group": "sent to a broadcast or multicast address",
                "echoed already": "with the mark that the replies of this program carry",
                "source rate": "over the budget of its source",
                "total rate": "over the budget of all sources",
            },
        )

    def test_is_quiet(self) -> None:
        """Twisted logs no lines of its own about it."""
        self.assertFalse(self.protocol.noisy)

    def test_it_comes_back(self) -> None:
        """U4: exactly as long as it came, to where it came from; the scope of IPv6 is kept."""
        peers: list[Any] = [(CLIENT, 40000), ("fe80::1", 40000, 0, 3)]
        for peer in peers:
            self.protocol.datagramReceived(bytes(range(256)), peer)
            self.assertEqual(self.transport.written.pop(), (bytes(range(256)), peer))
        self.protocol.datagramReceived(b"", peers[0])
        self.assertEqual(self.transport.written, [(b"", peers[0])])
        self.assertEqual(self.counts.datagrams_echoed, 3)

    def test_ports_that_get_no_reply(self) -> None:
        """U1: 0, our own, those of services, and privileged ones."""
        self.assertEqual(self.why_not(CLIENT, 0), "source port 0")
        self.assertEqual(self.why_not("127.0.0.1", 8888), "own port")
        self.assertEqual(self.why_not(CLIENT, 8888), "own port")
        for port in (7, 9, 13, 17, 19, 37, 2049):
            self.assertEqual(self.why_not(CLIENT, port), "service port")
        for port in (1, 53, 1023):
            self.assertEqual(self.why_not(CLIENT, port), "privileged port")
        for port in (1024, 2048, 2050, 8887, 65535):
            self.assertIsNone(self.why_not(CLIENT, port))

    def test_privileged_ports_may_be_allowed(self) -> None:
        """U1: those of services and 0 stay refused."""
        self.protocol.privileged_sources = True
        refused = {port for port in range(1024) if self.why_not(CLIENT, port)}
        self.assertEqual(refused, {0} | (SERVICE_PORTS - {2049}))
        self.assertEqual(self.why_not(CLIENT, 2049), "service port")

    def test_all_ports_of_this_process_are_known(self) -> None:
        """U2: two echoes of one process on different ports do not answer each other."""
        other = self.listen(9999, Counts())
        twin = self.listen(9999, Counts())
        self.assertEqual(self.why_not(CLIENT, 9999), "own port")
        self.assertEqual(other.why_not(CLIENT, 8888), "own port")
        other.doStop()
        self.assertEqual(self.why_not(CLIENT, 9999), "own port")
        twin.doStop()
        self.assertIsNone(self.why_not(CLIENT, 9999))

    def test_it_may_listen_again(self) -> None:
        self.protocol.doStop()
        self.protocol.makeConnection(Transport(7777))
        self.transport = self.protocol.transport
        self.assertEqual(self.why_not(CLIENT, 7777), "own port")
        self.assertIsNone(self.why_not(CLIENT, 8888))

    def test_addresses_that_get_no_reply(self) -> None:
        """U3: as they come over IPv4, and mapped, over a socket of both."""
        for host in ("224.0.0.1", "239.255.255.255"):
            self.assertEqual(self.why_not(host, 40000), "multicast source")
            self.assertEqual(self.why_not(f"::ffff:{host}", 40000), "multicast source")
        for host in ("0.0.0.0", "0.1.2.3", "240.0.0.1", "255.255.255.255"):
            self.assertEqual(self.why_not(host, 40000), "reserved source")
            self.assertEqual(self.why_not(f"::ffff:{host}", 40000), "reserved source")
        self.assertEqual(self.why_not("ff02::1", 40000), "multicast source")
        self.assertEqual(self.why_not("ff0e:1:2:3::", 40000), "multicast source")
        self.assertEqual(self.why_not("::", 40000), "reserved source")

    def test_addresses_that_get_one(self) -> None:
        for host in ("1.0.0.0", "127.0.0.1", "223.255.255.255", "::1", "fe80::1", "2001:db8::ff02", "::ffff:10.0.0.1"):
            self.assertIsNone(self.why_not(host, 40000))
        self.assertIsNone(why_not_address("::ffff:0:1"), "which is not IPv4")

    def test_any_address_of_ipv6(self) -> None:
        """U3: multicast is ff00::/8, as `ipaddress` has it, however an address is abbreviated; none is an error."""
        for first in ("", "0", "1", "f", "ff", "fff", "ff1", "ff00", "ff02", "ff0e", "ffff", "feff", "fe80", "2001"):
            for rest in ("::", "::1", ":1::1", ":2:3:4:5:6:7:8", "::1.2.3.4", "::224.0.0.1", "::0.0.0.1"):
                try:
                    address = ip_address(first + rest)
                except ValueError:  # there is none that begins with one colon
                    continue
                host = socket.inet_ntop(socket.AF_INET6, address.packed)  # as sockets give it
                expected = "multicast source" if address.is_multicast else "reserved source" if host == "::" else None
                self.assertEqual(why_not_address(host), expected, host)

    def test_ipv4_within_ipv6(self) -> None:
        """U3: addresses that are mapped are those of IPv4; those that were "compatible" (RFC 4291) are IPv6's own."""
        self.assertEqual(why_not_address("::ffff:224.0.0.1"), "multicast source")
        self.assertEqual(why_not_address("::ffff:0.1.2.3"), "reserved source")
        for host in ("::1.2.3.4", "::224.0.0.1", "::240.0.0.1"):
            self.assertIsNone(why_not_address(host))

    def test_what_can_not_be_sent(self) -> None:
        """U6: counted by the name of the error, and forgotten."""
        names = ("EMSGSIZE", "ECONNREFUSED", "EPERM", "ENOBUFS", "EAGAIN", "ENETUNREACH", "EINVAL", "EACCES")
        for name in names:
            self.transport.problem = OSError(getattr(errno, name), "…")
            self.protocol.datagramReceived(b"x", (CLIENT, 40000))
        self.transport.problem = MessageLengthError()
        self.protocol.datagramReceived(b"x", (CLIENT, 40000))
        self.transport.problem = TimeoutError()
        self.protocol.datagramReceived(b"x", (CLIENT, 40000))
        expected = Counter({**dict.fromkeys(names, 1), "EMSGSIZE": 2, "TimeoutError": 1})
        self.assertEqual(self.counts.datagrams_failed, expected)
        self.transport.problem = None
        self.assertIsNone(self.why_not(CLIENT, 40000))
        self.assertEqual(self.counts.total(), 11)

    def test_each_datagram_is_counted_once(self) -> None:
        self.protocol.rate = 5
        for number in range(100):
            self.transport.problem = OSError(errno.EPERM, "…") if number == 2 else None
            self.protocol.datagramReceived(b"x", (CLIENT, number * 100))
            self.assertEqual(self.counts.total(), number + 1)
        self.assertEqual((self.counts.datagrams_echoed, self.counts.datagrams_failed.total()), (5, 0))


class BudgetTests(DatagramCase):
    def replies(self, host: str, offered: int) -> int:
        before = self.counts.datagrams_echoed
        for _ in range(offered):
            self.protocol.datagramReceived(b"x", (host, 40000))
        return self.counts.datagrams_echoed - before

    def test_none_by_default(self) -> None:
        self.assertEqual(self.replies(CLIENT, 5000), 5000)

    def test_of_each_source(self) -> None:
        """U4: a burst of one second's worth, then the rate; others have their own."""
        self.protocol.source_rate = 10
        self.assertEqual(self.replies(CLIENT, 50), 10)
        self.assertEqual(self.replies("192.0.2.2", 50), 10)
        self.clock.advance(0.5)
        self.assertEqual(self.replies(CLIENT, 50), 5)
        self.clock.advance(100)
        self.assertEqual(self.replies(CLIENT, 50), 10)
        self.assertEqual(self.counts.datagrams_refused, {"source rate": 165})

    def test_of_all_sources(self) -> None:
        """U4: sources that are forged, each another one, get no more than that together."""
        self.protocol.rate = 10
        self.assertEqual(sum(self.replies(f"10.0.0.{number}", 1) for number in range(100)), 10)
        self.clock.advance(1)
        self.assertEqual(self.replies(CLIENT, 50), 10)
        self.assertEqual(self.counts.datagrams_refused, {"total rate": 130})

    def test_a_network_of_ipv6_is_one_source(self) -> None:
        """U4: who has a /64 has all of its addresses."""
        self.protocol.source_rate = 10
        self.assertEqual(sum(self.replies(f"2001:db8::{number:x}", 1) for number in range(100)), 10)
        self.assertEqual(self.replies("2001:db8:0:1::1", 50), 10)

    def test_refused_sources_use_up_no_budget(self) -> None:
        self.protocol.rate = 1
        self.assertEqual(self.replies("224.0.0.1", 50), 0)
        self.assertEqual(self.replies(CLIENT, 50), 1)

    def test_limits_can_be_changed_while_it_runs(self) -> None:
        self.protocol.source_rate = 10
        self.assertEqual(self.replies(CLIENT, 50), 10)
        self.clock.advance(1)
        self.protocol.source_rate = 3
        self.assertEqual(self.replies(CLIENT, 50), 3)
        self.protocol.source_rate = 0
        self.assertEqual(self.replies(CLIENT, 50), 50)

    def test_the_one_that_was_quiet_for_longest_is_forgotten(self) -> None:
        """U9."""
        budgets = Budgets(self.clock.seconds, most=2)
        self.assertTrue(budgets.take("a", 1))
        self.assertTrue(budgets.take("b", 1))
        self.assertFalse(budgets.take("a", 1))
        self.assertTrue(budgets.take("c", 1))
        self.assertFalse(budgets.take("a", 1))
        self.assertTrue(budgets.take("b", 1))
        self.assertEqual(len(budgets), 2)

    def test_many_sources(self) -> None:
        """U9: however many there are, no more than 10,000 are remembered."""
        budgets = Budgets(self.clock.seconds)
        for number in range(30_000):
            budgets.take(str(number), 1)
        self.assertEqual(len(budgets), 10_000)

    @given(
        st.integers(1, 50),
        st.integers(1, 8),
        st.lists(st.tuples(st.integers(0, 20), st.floats(0, 2)), max_size=200),
    )
    def test_whatever_comes(self, rate: int, most: int, arrivals: list[tuple[int, float]]) -> None:
        """U4, U9: no source that is remembered has more than a second's worth and the rate; the table is bounded."""
        now = 0.0
        budgets = Budgets(lambda: now, most)
        granted: dict[str, list[float]] = {}
        recent: list[str] = []
        for number, pause in arrivals:
            now += pause
            source = str(number)
            if source not in recent[-most:]:
                granted[source] = []  # it may have been forgotten, and begins anew
            recent = [name for name in recent if name != source] + [source]
            if budgets.take(source, rate):
                granted[source].append(now)
            else:
                self.assertTrue(granted[source], "the first has to be granted")
            times = granted[source]
            for index, begin in enumerate(times):
                self.assertLessEqual(len(times) - index, rate * (now - begin + 1) + 1e-6)
            self.assertLessEqual(len(budgets), most)

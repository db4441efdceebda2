"""The "nothing lost" check on the installed service; ``python -m checks.nothing_lost`` runs it for longer."""

from secrets import randbits

from checks.nothing_lost import run
from tests.integration.runs import (
    DRAIN,
    GROWTH,
    SHARES,
    places,
    stop_in_the_middle,
    through_one_connection,
    words,
)
from tests.integration.test_limits import LINUX
from tests.integration.twistd import PATIENCE, Server, TwistdCase
from tests.support.schedule import FAULTS
from tests.support.scheduled import Place

TOTAL = 1 << 28
"""Bytes that are sent over all three together, on each reactor; the command sends four times as many."""


class NothingLostTests(TwistdCase):
    def serve_everywhere(self) -> tuple[Server, dict[str, Place]]:
        """A server that listens on TCP, with TLS and on a Unix socket."""
        folder = self.folder()
        server = self.serve(*words(folder))
        return server, places(server, folder)

    def test_over_tcp_tls_and_unix(self) -> None:
        """
        T1, T6, T9, S6: random portions both ways at once, late readers, half-closes, resets, and faults on the way; not
        one byte is lost.
        """
        _, where = self.serve_everywhere()
        for name, place in where.items():
            share = TOTAL * SHARES[name] // sum(SHARES.values())
            result = run(place, total=share, seed=randbits(31), faults=FAULTS)
            self.assertEqual((result.bad, result.lost), ([], 0), f"{name}: {result}")
            self.assertGreaterEqual(result.sent, share // 2)

    def test_sigterm_in_the_middle(self) -> None:
        """O7: what had arrived comes back, whatever else happens to the connections, and the exit status is 0."""
        server, where = self.serve_everywhere()
        result, status, seconds = stop_in_the_middle(server, where, 1 << 26, randbits(31))
        self.assertEqual((result.bad, result.lost), ([], 0), str(result))
        self.assertEqual(status, 0)
        self.assertLessEqual(seconds, DRAIN + PATIENCE)  # the clients' time is in it, on a machine that may be busy

    def test_much_through_one_connection(self) -> None:
        """T4, in small: ``python -m checks.nothing_lost --one-connection`` sends more than 4 GiB."""
        if LINUX is not None:
            self.skipTest(LINUX)
        server, where = self.serve_everywhere()
        result, memory = through_one_connection(server, where["tcp"], 64 << 20, randbits(31), settled=16 << 20)
        self.assertEqual((result.bad, result.acked), ([], 64 << 20), str(result))
        self.assertLess(memory.growth, GROWTH)
        self.assertGreater(len(memory.seen), 20)

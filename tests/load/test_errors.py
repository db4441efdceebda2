from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.errors import ClientLimit, GreetingFailed, HandshakeFailed, Unreachable, nothing_reached
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Target, Transport, Workload

WORKLOAD = Workload(target=Target(Transport.TLS, "localhost", 8888))


class NothingReachedTests(SynchronousTestCase):
    def assert_said(self, outcome: Outcome, kind: type, status: int, line: str, *, proxy: int | None = None) -> None:
        error = nothing_reached(Workload(target=WORKLOAD.target, proxy=proxy), outcome, "said so")
        self.assertIs(type(error), kind)
        self.assertEqual((error.exit_status, str(error)), (status, line))

    def test_whose_fault_it_is(self) -> None:
        """L3: what this machine has run out of is not the server's failure."""
        outcome = Outcome()
        outcome.errors["ECONNREFUSED"] += 1
        line = "tls:localhost:8888: said so: is the service running there?"
        self.assert_said(outcome, Unreachable, 3, line)
        outcome.errors["greeting"] += 1
        self.assert_said(outcome, GreetingFailed, 3, "tls:localhost:8888: said so: check --greeting")
        line = "tls:localhost:8888: said so: check --proxy and --greeting"
        self.assert_said(outcome, GreetingFailed, 3, line, proxy=2)
        outcome.errors["TLS"] += 1
        line = "tls:localhost:8888: TLS failed: said so: does it speak TLS there?"
        self.assert_said(outcome, HandshakeFailed, 3, line)
        outcome.errors["certificate"] += 1
        line = "tls:localhost:8888: TLS failed: said so: --ca FILE or --insecure may help"
        self.assert_said(outcome, HandshakeFailed, 3, line)
        outcome.own_limits["descriptors"] += 1
        self.assert_said(outcome, ClientLimit, 4, "tls:localhost:8888: client limit: no descriptors left here: said so")

    def test_nothing_was_said(self) -> None:
        outcome = Outcome()
        outcome.errors["end of stream"] += 1
        line = str(nothing_reached(WORKLOAD, outcome, ""))
        self.assertEqual(line, "tls:localhost:8888: end of stream: is the service running there?")

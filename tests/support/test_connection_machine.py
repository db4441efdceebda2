"""The model of a connection's life, run on each reactor; and proved by services that it has to find broken."""

import contextlib
import traceback
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky, FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test
from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer_only

from echoproto import Echo
from echoproto.server.sockets.connection import BufferedTCPConnection, TCPConnection
from tests.support.connection_machine import Machine
from tests.support.reactorbuilder import EchoReactorBuilder

ATTEMPTS = 5

LIVES = 25
"""Lives that are tried on each reactor."""


class ForgetsFlowControl(Echo):
    def start_flow_control(self) -> None:
        """It reads on and on."""


@implementer_only(IHandshakeListener)
class ForgetsTheTail(Echo):
    """As stock Twisted does: what is not sent yet when the peer half-closes is dropped."""


class DropsWhatIsInFlight(Echo):
    def drain(self, count: int) -> None:
        """It ends without what has not been read yet."""
        super().drain(0)


class CountsTooMuch(Echo):
    def dataReceived(self, data: bytes) -> None:
        """One byte in each portion that has not come."""
        super().dataReceived(data)
        self.bytes_received += 1


class MachineBuilder(EchoReactorBuilder):
    def live(self, protocol: type[Echo], transport: Any = TCPConnection, examples: int = 50, **options: Any) -> None:
        """Have hypothesis think of lives."""
        reactor = self.buildReactor()
        run_state_machine_as_test(
            lambda: Machine(reactor, protocol, transport),  # type: ignore[arg-type] # whatever gives one will do
            settings=settings(
                max_examples=examples,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                **options,
            ),
        )

    def test_any_life(self) -> None:
        """T1, T6, T8, T9, B1, O7: exact, bounded, and counted."""
        for _ in range(ATTEMPTS):
            # What the kernel does in between may differ from one replay to the next, and then there may be other rules
            # to draw from; nothing that has to hold was broken.
            with contextlib.suppress(FlakyStrategyDefinition):
                self.live(Echo, examples=LIVES)
                return
        self.fail("no life was like its replay")

    def test_broken_ones_are_found(self) -> None:
        for broken, words in (
            (ForgetsFlowControl, "held"),
            (ForgetsTheTail, "not all came back"),
            (DropsWhatIsInFlight, "not all came back"),
            (CountsTooMuch, "bytes do not add up"),
        ):
            self.assertIn(words, self.found(broken), broken.__name__)

    def found(self, broken: type[Echo]) -> str:
        """
        Return the fault that hypothesis finds, if any; the kernel's timing may differ.

        Connections that write at once, as those of lean reactors, have hardly ever a tail to forget.
        """
        for _ in range(ATTEMPTS):
            try:
                self.live(broken, BufferedTCPConnection, derandomize=True, phases=[Phase.generate])
            except FlakyStrategyDefinition:
                continue
            except (AssertionError, Flaky) as error:
                return "".join(traceback.format_exception(error))
        return "nothing"


globals().update(MachineBuilder.makeTestCaseClasses())
del MachineBuilder, EchoReactorBuilder

import time
from collections.abc import Iterator
from typing import Any

from echoproto.load.client import streamload
from echoproto.load.workload import Churn
from echoproto.units import NS
from tests.support.loads import LoadCase, port_of
from tests.support.mutants import honest, says_goodbye, serving

SETTINGS: tuple[dict[str, Any], ...] = ({}, {"rate": 200.0}, {"window": 3}, {"idle": 2}, {"half_close": True})


def says_more_later(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from chunks
    time.sleep(0.05)
    yield b"surplus " * 10


class FarewellTests(LoadCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(streamload, "CLOSE_TIMEOUT", 10 * NS)

    def test_what_comes_after_the_last_message(self) -> None:
        """L2: it is surplus, also if it comes only when this side has ended."""
        for mutant in (says_goodbye, says_more_later):
            for settings in SETTINGS:
                with serving(mutant) as connect:
                    outcome = self.load(port_of(connect), count=20, **settings)
                self.assertEqual((outcome.findings["inserted"], outcome.findings.total()), (2, 2), (mutant, settings))
                self.assertEqual((outcome.messages, outcome.acked), (20, outcome.sent))

    def test_nothing_comes(self) -> None:
        with serving(honest) as connect:
            for settings in (*SETTINGS, {"churn": Churn.FIN}, {"churn": Churn.RESET}):
                self.assert_good(self.load(port_of(connect), count=20, **settings))

    def test_the_end_does_not_come(self) -> None:
        """Nor is it asked for: this is over soon, and good."""
        self.patch(streamload, "CLOSE_TIMEOUT", NS // 10)

        def keeps(chunks: Iterator[bytes]) -> Iterator[bytes]:
            yield from chunks
            time.sleep(0.4)

        with serving(keeps) as connect:
            self.assert_good(self.load(port_of(connect), count=20))

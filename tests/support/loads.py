"""Short loads for tests, against servers on loopback, with short timeouts."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from twisted.trial.unittest import SynchronousTestCase

from echoproto.load import engine
from echoproto.load.client import streamload
from echoproto.load.engine import run
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Target, Transport, Workload
from echoproto.units import NS

T = TypeVar("T")

PATIENCE = 0.5
"""Timeout of a connection in seconds, for tests in which no data will come."""


def port_of(connect: Callable[[], socket.socket]) -> int:
    """Return the port of a server."""
    with connect() as client:
        port: int = client.getpeername()[1]
        return port


def workload(port: int, transport: Transport = Transport.TCP, **settings: Any) -> Workload:
    """Make a workload: by default two connections for a moment, without a warm-up."""
    if "count" in settings:
        settings.setdefault("duration", None)
    settings = {"connections": 2, "duration": 0.1, "warmup": 0.0, "seed": 7, **settings}
    return Workload(target=settings.pop("target", Target(transport, "127.0.0.1", port)), **settings)


def at_once(*functions: Callable[[], T]) -> list[T]:
    """Call each function in a thread of its own, since they mostly wait; return their results."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(function) for function in functions]]


class LoadCase(SynchronousTestCase):
    """Test case for loads with frequent checks, and consistent outcomes."""

    def setUp(self) -> None:
        self.patch(engine, "TICK", NS // 20)
        self.patch(streamload, "DIAGNOSIS_SILENCE", NS // 7)

    def load(self, port: int, *, patience: float = 10.0, first: int = 0, **settings: Any) -> Outcome:
        outcome = run(workload(port, **settings), patience=patience, first=first)
        self.assert_adds_up(outcome)
        return outcome

    def assert_adds_up(self, outcome: Outcome) -> None:
        self.assertEqual(outcome.sent, outcome.acked + outcome.lost + outcome.unknown)
        self.assertEqual(outcome.messages, outcome.service_time.count)
        self.assertEqual(outcome.messages, sum(second.echoes for second in outcome.seconds.values()))
        self.assertEqual(outcome.messages, sum(second.times.count for second in outcome.seconds.values()))

    def assert_good(self, outcome: Outcome) -> None:
        self.assertEqual((outcome.acked, outcome.lost, outcome.unknown), (outcome.sent, 0, 0))
        self.assertEqual((dict(outcome.findings), dict(outcome.errors), dict(outcome.own_limits)), ({}, {}, {}))
        self.assertEqual(outcome.first_findings, [])
        self.assertGreater(outcome.messages, 0)
        self.assertGreater(outcome.elapsed, 0)

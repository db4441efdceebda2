"""
A process of the load generator: ``python -P -m echoproto.load.generator DESCRIPTOR PARENT``, started by
`echoproto.load.processes`.

It receives its share of the load over the descriptor, reports that it is ready, and waits for the start signal. It ends
on SIGTERM, and when its parent is gone.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from echoproto.errors import EchoError, InternalError
from echoproto.host.linux import LINUX, end_with_parent
from echoproto.host.signals import SIGNALS
from echoproto.load.errors import ClientLimit
from echoproto.load.outcome import Outcome
from echoproto.load.processes import READY, ProgressReport


def serve(connection: Connection, parent: int) -> None:
    """
    Run a share of the load.

    :param connection: connection to the parent process.
    :param parent: ID of that process.
    """
    stop_signals: list[int] = []
    # A terminal sends SIGINT to all processes; the parent decides its meaning.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: stop_signals.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if LINUX:
        end_with_parent()
    with suppress(EOFError, ConnectionError):  # the parent is gone
        share, engine, every = connection.recv()
        result: Outcome | EchoError | InternalError
        try:
            if engine is None:
                from echoproto.load.engine import run

                engine = run
            connection.send(READY)
            connection.recv()
            result = engine(
                share.workload,
                progress=None if every is None else _reporter(connection, every),
                first=share.first,
                interrupted=lambda: bool(stop_signals) or os.getppid() != parent,
            )
        except EchoError as error:
            result = error
        except MemoryError:
            result = ClientLimit("client limit: the generator ran out of memory: lower --size or --connections")
        except Exception as error:
            result = InternalError.of(error)
        connection.send(result)


def _reporter(connection: Connection, every: float) -> Callable[[Outcome], None]:
    """Return a function for the engine that reports progress every few seconds."""
    due = 0.0

    def report(outcome: Outcome) -> None:
        nonlocal due
        if outcome.elapsed < due:
            return
        due = outcome.elapsed + every
        errors = outcome.errors.total() + outcome.findings.total()
        connection.send(ProgressReport(outcome.messages, errors, outcome.elapsed, outcome.service_time))

    return report


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), int(sys.argv[2]))

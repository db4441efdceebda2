"""Twisted's `ReactorBuilder`, for the reactor that the suite runs on."""

from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.python.reflect import fullyQualifiedName
from twisted.trial.unittest import SynchronousTestCase

T = TypeVar("T")

OWN_LOOP = {"AsyncioSelectorReactor": "twisted.internet.test.reactormixins.AsyncioSelectorReactor"}
"""Substitute of Twisted's tests for an asyncio reactor, with its own event loop."""


def turn(built: Any) -> None:
    """Turn a reactor that does not run, without waiting for events."""
    # An asyncio reactor waits 10 ms too long.
    built.iterate(-0.01 if isinstance(built, AsyncioSelectorReactor) else 0)


class EchoReactorBuilder(ReactorBuilder, SynchronousTestCase):
    """
    Make a test case for the suite's reactor only, since the suite itself runs on each reactor.

    A test module ends with ``globals().update(Builder.makeTestCaseClasses())`` and the deletion of the builders' own
    names, which would be test cases without a reactor.
    """

    _reactors = [OWN_LOOP.get(type(reactor).__name__, fullyQualifiedName(type(reactor)))]

    def run_with(self, built: Any, client: Callable[[], T]) -> T:
        """Run the reactor with a client on blocking sockets in a thread; return the client's result."""
        results: list[T | BaseException] = []

        def run() -> None:
            try:
                results.append(client())
            except BaseException as error:
                results.append(error)
            finally:
                built.callFromThread(built.stop)

        thread = Thread(target=run)
        built.callWhenRunning(thread.start)
        self.runReactor(built, timeout=60)
        thread.join(60)
        [result] = results
        if isinstance(result, BaseException):
            raise result
        return result

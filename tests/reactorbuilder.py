"""Twisted's `ReactorBuilder`, for the reactors that this project serves on."""

from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

T = TypeVar("T")

KNOWN = (
    "twisted.internet.selectreactor.SelectReactor",
    "twisted.internet.pollreactor.PollReactor",
    "twisted.internet.epollreactor.EPollReactor",
    "twisted.internet.kqreactor.KQueueReactor",
    "twisted.internet.test.reactormixins.AsyncioSelectorReactor",
    "echoproto.reactors.uvloop.UvloopReactor",
)


def _here(name: str) -> bool:
    try:
        namedAny(name)
    except ImportError:
        return False
    return True


class EchoReactorBuilder(ReactorBuilder, SynchronousTestCase):
    """
    Makes a test case for each reactor that this platform has.

    A test module ends with ``globals().update(Builder.makeTestCaseClasses())`` and the deletion of the builders' own
    names, which would be test cases without a reactor.

    Those of another platform are left out rather than skipped; the emulated kqueue is here where it is switched on.
    """

    _reactors = [name for name in KNOWN if _here(name)]

    def run_with(self, reactor: Any, client: Callable[[], T]) -> T:
        """Run the reactor while a client on blocking sockets runs in a thread; give what the client gives."""
        results: list[T | BaseException] = []

        def run() -> None:
            try:
                results.append(client())
            except BaseException as error:
                results.append(error)
            finally:
                reactor.callFromThread(reactor.stop)

        thread = Thread(target=run)
        reactor.callWhenRunning(thread.start)
        self.runReactor(reactor, timeout=60)
        thread.join(60)
        [result] = results
        if isinstance(result, BaseException):
            raise result
        return result

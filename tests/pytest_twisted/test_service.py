"""The service as a program would use it that is tested with pytest-twisted; in a run of its own, on each reactor."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from echoproto.reactors.selection import find
from echoproto.server.service import EchoService
from echoproto.server.settings.table import Settings

reactor: Any = installed


class Client(Protocol):
    """Collects what comes, and tells when the connection has ended."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(self.received)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def service() -> AsyncIterator[EchoService]:
    echo = EchoService(Settings(port=0, interface="127.0.0.1"), "any", reactor)
    echo.startService()
    yield echo
    await echo.stopService()


def connect(service: EchoService) -> Deferred[Client]:
    port: Any = service.ports[0]
    return connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Client())  # type: ignore[no-any-return]


def test_runs_on_the_reactor_that_was_asked_for(request: pytest.FixtureRequest) -> None:
    assert type(reactor).__module__ == find(request.config.getoption("--reactor")).module


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_echo_and_half_close(service: EchoService) -> None:
    client = await connect(service)
    transport: Any = client.transport
    transport.write(b"hello" * 100_000)
    transport.loseWriteConnection()
    assert await client.ended == b"Hello\n" + b"hello" * 100_000
    assert service.factory.connections == set()


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_several_at_once(service: EchoService) -> None:
    clients = [await connect(service) for _ in range(20)]
    for number, client in enumerate(clients):
        transport: Any = client.transport
        transport.write(b"%d" % number)
        transport.loseWriteConnection()
    assert [await client.ended for client in clients] == [b"Hello\n%d" % number for number in range(20)]


@pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
async def test_stop_and_start_again(service: EchoService) -> None:
    await service.stopService()
    assert service.ports == []
    service.startService()
    client = await connect(service)
    transport: Any = client.transport
    transport.loseWriteConnection()
    assert await client.ended == b"Hello\n"

"""
Where the service listens: endpoints made of the settings, and opening all of them or none.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from attrs import frozen
from twisted.internet import error
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import _parse, serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from echoproto.errors import ConfigurationError, EchoError, UnavailableError
from echoproto.server.kinds import Kind, Mode, WholeNumber
from echoproto.server.ports import PortReactor
from echoproto.server.settings import Settings
from echoproto.server.socketfile import check_path

WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENOPROTOOPT)
"""How a system answers that has no IPv6, has it switched off, or keeps it apart from IPv4 (OpenBSD)."""

NUMBERS: Mapping[str, Kind] = {
    "port": WholeNumber(0, 65535),
    "backlog": WholeNumber(1, 65535),
    "mode": Mode(),
}
"""Arguments of endpoint strings that are numbers."""

POSITIONS = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "tls": ("path", "port", "backlog"),
    "ssl": ("port",),
    "unix": ("address", "mode", "backlog"),
}
"""What the arguments of endpoint strings are that are given without a name, as Twisted's parsers have it."""

EXAMPLE = "an endpoint string looks like tcp:8888:interface=127.0.0.1"

ADVICE = {
    errno.EADDRINUSE: "stop the program that holds it, or choose another",
    errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE, paths the right to write there",
    errno.EADDRNOTAVAIL: "no network interface of this host has that address",
}


@frozen
class Listener:
    """
    One place to listen at.

    :ivar description: what a person calls it: ``port 8888 on all addresses``, or the endpoint string.
    """

    description: str
    endpoint: IStreamServerEndpoint


@implementer(IStreamServerEndpoint)
@frozen
class TCPEndpoint:
    """
    Listen on one TCP port with one socket.

    :ivar interface: an IP address; ``0.0.0.0`` for all of IPv4, ``::`` for all of IPv6, empty for both at once.
    :ivar port: 0 to 65535; 0 for one that the system picks.
    """

    reactor: PortReactor
    port: int
    interface: str
    backlog: int

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; the Deferred has its result already."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        return open_on(self.interface, partial(self.reactor.listenTCP, self.port, factory, self.backlog))


def open_on(interface: str, open_port: Callable[..., IListeningPort]) -> IListeningPort:
    """
    Open one port, on both IPv6 and IPv4 where no interface is named and the system has both.

    :param interface: an IP address; ``0.0.0.0`` for all of IPv4, ``::`` for all of IPv6, empty for both at once.
    :param open_port: takes an address, and ``ipv6_only``: whether a socket of IPv6 is to leave IPv4 alone.
    """
    if interface:
        return open_port(interface, ipv6_only=True)
    try:
        return open_port("::", ipv6_only=False)
    except error.CannotListenError as problem:
        if getattr(problem.socketError, "errno", None) not in WITHOUT_IPV6:
            raise
        return open_port("0.0.0.0", ipv6_only=True)  # noqa: S104 - all addresses are what was asked for


def listeners(settings: Settings, reactor: PortReactor) -> list[Listener]:
    """
    Where the settings say to listen; nothing is opened yet.

    :raise ConfigurationError: if an endpoint string can't be understood, or a file that it names can't be used.
    """
    found = [_from_string(reactor, description, settings) for description in settings.listen]
    port = settings.served_port
    if port is not None:
        endpoint = TCPEndpoint(reactor, port, settings.interface, settings.backlog)
        found.insert(0, Listener(f"port {port} on {settings.interface or 'all addresses'}", endpoint))
    return found


def _from_string(reactor: PortReactor, description: str, settings: Settings) -> Listener:
    try:
        words, given = _parse(description)
        given |= dict(zip(POSITIONS.get(words[0], ()), words[1:], strict=False))
        for name, kind in NUMBERS.items():
            if name in given:
                _check_number(name, given[name], kind)
        if words[0] == "unix":
            check_path(os.fsencode(given.get("address", "")))
        if words[0] == "tls":
            _check_certificates(given.get("path", ""))
        # In place of Twisted's own 50; systemd's socket has its own already.
        ours = "" if words[0] == "systemd" or "backlog" in given else f":backlog={settings.backlog}"
        if words[0] == "unix" and "mode" not in given:
            ours += f":mode={settings.unix_mode}"
        return Listener(description, serverFromString(reactor, description + ours))
    except Exception as problem:  # each endpoint's parser raises what it likes
        hint = r"; a colon within a value is written \:" if "::" in description else ""
        raise ConfigurationError(f"{description!r}: {_reason(problem)}{hint or f'; {EXAMPLE}'}") from problem


def _check_number(name: str, value: str, kind: Kind) -> None:
    """Twisted leaves it to the socket to find a wrong number, and then leaves that socket open."""
    try:
        kind.from_text(value)
    except ValueError as problem:
        raise ConfigurationError(f"{name} {value!r} is not {kind.allowed}") from problem


def _check_certificates(path: str) -> None:
    """Twisted reads the certificates when a client comes, and has nothing for it if there are none."""
    if not any(name.endswith(".pem") for name in os.listdir(path)):
        raise ConfigurationError(f"{path}: holds no .pem file with a certificate and its key")


def open_all(listeners: Sequence[Listener], factory: IProtocolFactory) -> list[IListeningPort]:
    """
    Listen everywhere, or nowhere.

    :return: the open ports, in the order of the listeners.
    :raise UnavailableError: if one can't be opened; those that were are being closed.
    """
    ports: list[IListeningPort] = []
    try:
        for listener in listeners:
            ports.append(_open(listener, factory))  # noqa: PERF401 - what is open has to be known if one fails
    except EchoError:
        for port in ports:
            port.stopListening()
        raise
    return ports


def _open(listener: Listener, factory: IProtocolFactory) -> IListeningPort:
    results: list[IListeningPort | Failure] = []
    waiting = listener.endpoint.listen(factory).addBoth(results.append)
    if not results:
        waiting.cancel()
        raise UnavailableError(f"can't listen on {listener.description}: it does not open at once")
    port = results[0]
    if isinstance(port, Failure):
        raise UnavailableError(f"can't listen on {listener.description}: {_reason(port.value)}") from port.value
    _check_family(listener, port)
    _keep_tail(port)
    return port


def _check_family(listener: Listener, port: IListeningPort) -> None:
    """A socket that was handed over is taken for one of the domain that the endpoint string says; find out."""
    skt: socket.socket | None = getattr(port, "socket", None)
    if skt is None or not hasattr(socket, "SO_DOMAIN"):
        return
    domain = skt.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)
    if domain != skt.family:
        port.stopListening()
        name = socket.AddressFamily(domain).name.removeprefix("AF_")
        raise ConfigurationError(f"can't listen on {listener.description}: the socket is one of domain {name}")


def _keep_tail(port: IListeningPort) -> None:
    """Without pyOpenSSL there is no TLS to keep the tail of."""
    try:
        from echoproto.server.tls import keep_tail
    except ImportError:
        return
    keep_tail(getattr(port, "factory", None))


def _reason(problem: BaseException | None) -> str:
    """Why, without the numbers and the names of functions that exceptions are full of."""
    if isinstance(problem, error.CannotListenError):
        problem = problem.socketError
    if isinstance(problem, EchoError):
        return str(problem)
    if isinstance(problem, OSError) and problem.strerror:
        advice = ADVICE.get(problem.errno or 0)
        name = f"{os.fsdecode(problem.filename)}: " if problem.filename else ""
        return name + problem.strerror + (f"; {advice}" if advice else "")
    if isinstance(problem, LookupError):
        return "systemd has handed over no such socket"
    if "AF_" in str(problem):
        return "there is no such domain; for TCP, it is INET6 or INET"
    if type(problem).__module__.startswith("OpenSSL"):
        return "its files hold no certificate and private key in PEM format that go together"
    return re.sub(r"^[\w.]+\(\) ", "", str(problem)) or type(problem).__name__

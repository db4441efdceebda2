"""
Our own kinds of port, for Twisted's endpoints to open in place of the reactor's.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from echoproto.server.unixport import MODE, UnixPort


class PortReactor:
    """
    The reactor as an endpoint sees it: the real one, but for the ports that it opens.

    :param reactor: the real one.
    :param owner: user and group ID of the files of Unix sockets, as `UnixPort` has them.
    :param put_back: whether stale files are put back at the end, as `UnixPort` has it.
    """

    def __init__(self, reactor: Any, *, owner: tuple[int, int] | None = None, put_back: bool = False) -> None:
        self._reactor = reactor
        self._owner = owner
        self._put_back = put_back

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenUNIX(
        self,
        address: bytes | str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = MODE,
        wantPID: bool = False,
    ) -> IListeningPort:
        """
        Open a `UnixPort`.

        :param wantPID: of no use: whether a server lives is asked of its socket, not of a lock file.
        :raise CannotListenError: as `UnixPort` has it.
        """
        port = UnixPort(address, factory, backlog, mode, self._reactor, owner=self._owner, put_back=self._put_back)
        port.startListening()
        return port

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory) -> IListeningPort:
        """Serve on a listening socket that was handed over; if it is a Unix socket, its file is left alone."""
        if addressFamily != socket.AF_UNIX:
            return self._reactor.adoptStreamPort(fileDescriptor, addressFamily, factory)  # type: ignore[no-any-return]
        port: UnixPort = UnixPort._fromListeningDescriptor(self._reactor, fileDescriptor, factory)
        port.startListening()
        return port

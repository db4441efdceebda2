"""
The port of a Unix stream socket.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python import log as twisted_log
from twisted.python.failure import Failure

from echoproto.errors import EchoError
from echoproto.server.sockets.socketfile import SocketFile
from echoproto.server.sockets.socketnames import check_path, shown_name

log = Logger("echoproto")

MODE = 0o660
"""Permissions for the server's user and group; Twisted's 0o666 lets all users in."""


class UnixPort(unix.Port):
    """
    A Unix stream socket whose file has its permissions from the first instant, replaces only a stale one, and is
    removed at a stop, unless it is another's by then.

    Twisted's own port makes the file for all users, and changes that afterwards; it removes any file on the path when
    it stops, also that of a socket that was handed over; and it finds a stale file by a symbolic link beside it, which
    fails in containers, where all servers have the same process ID.

    :param path: of the file; on Linux, with a leading NUL, an abstract name, which has no file.
    :param factory: makes the protocols.
    :param backlog: of ``listen(2)``.
    :param mode: permissions, 0 to 0o777.
    :param reactor: watches the socket.
    :param owner: user and group ID of the file, -1 for one that stays as it is; ``None`` for the user of the process.
    :param put_back: put a stale file back at the end, for a trial start.
    """

    def __init__(
        self,
        path: bytes | str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = MODE,
        reactor: Any = None,
        *,
        owner: tuple[int, int] | None = None,
        put_back: bool = False,
    ) -> None:
        self.path = os.fsencode(path)
        super().__init__(self.path, factory, backlog, mode, reactor)
        self.owner = owner
        self._put_back = put_back
        self._file: SocketFile | None = None

    def startListening(self) -> None:
        """
        Listen.

        :raise CannotListenError: if that fails; its ``socketError`` is an `OSError` or an `EchoError`.
        """
        tcp._reservedFD.reserve()
        skt = self._preexistingSocket
        if skt is None:
            try:
                skt = self._open()
            except (OSError, EchoError) as problem:
                raise CannotListenError(None, self.path, problem) from problem
        else:
            # The process that handed it over has set file and backlog, and continues to use it.
            self._preexistingSocket = None
            self._shouldShutdown = False
        self.factory.doStart()  # type: ignore[union-attr]
        self.connected = True
        self.socket = skt
        self.fileno = skt.fileno  # type: ignore[method-assign]
        self.numberAccepts = 100
        self.startReading()

    def _open(self) -> socket.socket:
        check_path(self.path)
        skt: socket.socket = self.createInternetSocket()
        try:
            if self.path.startswith(b"\0"):
                skt.bind(self.path)
                skt.listen(self.backlog)
            else:
                file = SocketFile(self.path, put_back=self._put_back)
                file.listen(skt, self.backlog, self.mode, self.owner)
                self._file = file
        except BaseException:
            skt.close()
            raise
        return skt

    def loseConnection(self, *reason: Failure) -> Any:
        """
        Stop listening: remove the file now, and close the socket in the reactor's next turn.

        :return: a Deferred that fires when the socket is closed, if it was open.
        """
        self._remove_file()
        return super().loseConnection(*reason)

    stopListening = loseConnection

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket, also at the end of the reactor."""
        self._remove_file()
        tcp.Port.connectionLost(self, reason)  # unix.Port's own removes any file on the path

    def _logConnectionLostMsg(self) -> None:
        twisted_log.msg(f"(UNIX Port {shown_name(self.path)} Closed)")

    def _remove_file(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.remove()
        except (OSError, EchoError) as problem:
            log.warn(
                "Left behind {path}: {reason}; the next start removes it",
                event="socket-left",
                path=shown_name(self.path),
                reason=problem.strerror if isinstance(problem, OSError) else str(problem),
            )

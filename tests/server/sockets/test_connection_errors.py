"""Errors of the system in a write at once: it goes on exactly, or ends in the next turn."""

import errno
from typing import Any
from unittest import mock

from twisted.internet import main

from tests.server.sockets.test_connection import TransportCase
from tests.support.clients import payload

ERRORS = (
    *(errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN),
    *(errno.ENOMEM, errno.EPERM, errno.EACCES, errno.EIO, errno.EMSGSIZE, errno.ENOTCONN),
)
"""Those that are not mere want of room: a reset, a route that is gone, a packet filter, a system in distress."""


class WriteTests(TransportCase):
    """A write at once that fails."""

    def failing(self, number: int) -> Any:
        """Have each send fail for a while."""
        send = mock.Mock(side_effect=OSError(number, ""))
        return mock.patch.object(self.transport, "socket", mock.Mock(wraps=self.transport.socket, send=send))

    def test_an_error_that_passes(self) -> None:
        """Nothing is lost, and it reads on, and writes at once again."""
        for number in ERRORS:
            with self.failing(number):
                self.transport.write(b"late ")
            self.assertNotIn(self.transport, self.reactor.readers, "it would find a mere end")
            self.turn()
            self.assertEqual((self.reactor.readers, self.reactor.writers), ({self.transport}, set()), number)
            self.transport.write(b"at once")
            self.assertEqual(self.received(), b"late at once")

    def test_an_error_that_stays(self) -> None:
        for number in ERRORS:
            with self.failing(number):
                self.transport.write(b"x")
                self.assertIs(self.turn(), main.CONNECTION_LOST, number)
            self.assertNotIn(self.transport, self.reactor.readers)
            self.turn()

    def test_one_that_closes(self) -> None:
        """Written data is sent first."""
        with self.failing(errno.ENOMEM):
            self.transport.write(b"last")
        self.transport.loseConnection()
        self.assertIs(self.turn(), main.CONNECTION_DONE)
        self.assertEqual((self.received(), self.reactor.readers), (b"last", set()))

    def test_more_than_it_may_have_unsent(self) -> None:
        """It pauses itself as producer, and resumes once all data is sent."""
        self.transport.registerProducer(self.transport, True)
        with self.failing(errno.ENOMEM):
            self.transport.write(payload(1 << 18))
        self.turn()
        self.assertTrue(self.transport.dataBuffer)
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual(self.flush(), payload(1 << 18))
        self.assertEqual(self.reactor.readers, {self.transport})

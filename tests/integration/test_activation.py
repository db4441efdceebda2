"""Sockets that are handed over, as systemd does it, and what is none."""

import sys

from tests.integration.twistd import REACTOR, FailingCase, Server, script
from tests.support.clients import exchange

HAND_OVER = """
import os, socket, sys
kind, listens, command = sys.argv[1], sys.argv[2], sys.argv[3:]
if kind == "closed":
    os.closerange(3, 10)
elif kind == "none":
    os.dup2(os.open(os.devnull, os.O_RDONLY), 3)
else:
    given = socket.socket(getattr(socket, "AF_" + kind.split()[0]), getattr(socket, "SOCK_" + kind.split()[1]))
    given.bind(("", 0))
    if listens:
        given.listen()
    os.dup2(given.fileno(), 3)
if kind != "closed":
    os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(command[0], command)
"""
"""Hands one descriptor over, without a name, and becomes the command that is given."""


class ActivationTests(FailingCase):
    if not sys.platform.startswith("linux"):
        skip = "systemd is Linux's"

    def prefix(self, kind: str, listens: str = "") -> tuple[str, ...]:
        return (sys.executable, "-c", HAND_OVER, kind, listens)

    def test_without_a_name(self) -> None:
        """O12: as systemd-socket-activate hands it over."""
        words = ("--listen", "systemd:domain=INET:index=0", "--reactor", REACTOR)
        server = Server(*self.prefix("INET STREAM", "yes"), script("twistd"), "-n", "echo", *words, cwd=self.folder())
        self.addCleanup(self._end, server)
        server.listening()
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")

    def test_what_can_not_be_served(self) -> None:
        """O12, O5: one line says what it is, before anything is said to listen."""
        listen = ("--listen", "systemd:domain=INET:index=0")
        for kind, listens, complaint in (
            ("INET STREAM", "", "the socket does not listen; in a unit of systemd, that takes Accept=no"),
            ("INET DGRAM", "", "the socket is one of type DGRAM, not STREAM"),
            ("INET6 STREAM", "yes", "the socket is one of domain INET6, not INET"),
            ("none", "", "descriptor 3, which was handed over, is no socket"),
            ("closed", "", "descriptor 3, which was handed over, is "),
        ):
            line = self.complaint(*listen, *["--check"] * (kind == "none"), status=2, prefix=self.prefix(kind, listens))
            self.assertIn(f"'systemd:domain=INET:index=0': {complaint}", line)

    def test_twice(self) -> None:
        listen = ("--listen", "systemd:domain=INET:index=0") * 2
        line = self.complaint(*listen, status=2, prefix=self.prefix("INET STREAM", "yes"))
        self.assertIn("descriptor 3, which was handed over, can't be listened on twice", line)

"""The "nothing lost" check on the installed service; ``python -m tests.nothing_lost`` runs it for longer."""

import socket
from secrets import randbits

from tests.integration.twistd import LISTENING, TwistdCase
from tests.nothing_lost import run


class NothingLostTests(TwistdCase):
    def test_half_a_gib_each_over_tcp_and_unix(self) -> None:
        """T1, T6, T9: random portions both ways at once, late readers, half-closes and resets; not one byte is lost."""
        path = f"{self.folder()}/s"
        server = self.serve("--port", "0", "--listen", f"unix:{path}", "--greeting", "", "--log-connections", "off")
        server.wait_for(LISTENING)

        def unix() -> socket.socket:
            client = socket.socket(socket.AF_UNIX)
            client.connect(path)
            return client

        for connect in (server.connect, unix):
            result = run(connect, total=1 << 29, seed=randbits(31))
            self.assertEqual((result.bad, result.lost), ([], 0), str(result))
            self.assertGreaterEqual(result.sent, 1 << 28)

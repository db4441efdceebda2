"""The installed ``twistd`` where its log is not heard: it goes elsewhere, or nowhere."""

import os
import socket
import time

from echoproto.host.serving import free_port
from tests.integration.twistd import PATIENCE, REACTOR, Child, TwistdCase, script
from tests.support.clients import exchange


class UnheardCase(TwistdCase):
    """A test case with servers that are known to serve by connecting to them."""

    def unheard(
        self,
        *words: str,
        command: str = "{}",
        folder: str = "",
        echo: str = "",
        env: dict[str, str] | None = None,
    ) -> tuple[Child, int]:
        """
        Serve on a port that was free, and wait until it listens.

        :param words: of ``twistd``, before ``echo``.
        :param command: of the shell, with the server in the place of the braces.
        :param echo: more options of ``echo``.
        :param env: additions to its environment.
        """
        port = free_port()
        options = f"echo --port {port} --interface 127.0.0.1 --reactor {REACTOR} --greeting '' {echo}"
        line = command.format(" ".join([script("twistd"), *words, options]))
        child = Child("sh", "-c", f"exec {line}", cwd=folder or self.folder(), env=env)
        self.addCleanup(child.stop)
        deadline = time.monotonic() + PATIENCE
        while child.process.poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return child, port
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        raise AssertionError(f"it has ended: {child.end()}, {child.lines}")

    def served(self, port: int, count: int = 200) -> None:
        """Enough connections for thousands of lines, all of them exact."""
        for number in range(count):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
                data = b"%d" % number * 100
                self.assertEqual(exchange(client, data), data)

    def pid_of_daemon(self, folder: str) -> int:
        with open(os.path.join(folder, "twistd.pid"), encoding="ascii") as file:
            return int(file.read())

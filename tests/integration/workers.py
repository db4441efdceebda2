"""The installed ``twistd`` with workers, and what becomes of each of them."""

import os
import re
import time
from contextlib import suppress

from tests.integration.twistd import PATIENCE, Server, TwistdCase, sockets_of

SERVES = r'(?:Worker |"worker-serves","worker":)(\d+)(?: serves, process |,"pid":)(\d+)'


def lives(pid: int) -> bool:
    """Whether a process is there; one that has ended and was not waited for is not, where the system tells."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"
    return not os.path.exists("/proc/self/stat")


class WorkersCase(TwistdCase):
    """
    A test case with a server that has workers; at the end, none of them is left.

    :ivar pids: of the workers that serve, by number.
    """

    def serve_with(
        self, workers: int, *words: str, twistd: tuple[str, ...] = ("-n",), program: str = "twistd"
    ) -> Server:
        """Start it, and wait until all workers serve."""
        server = self.serve("--workers", str(workers), *words, twistd=twistd, program=program)
        self.all_serve(server, workers)
        return server

    def all_serve(self, server: Server, workers: int) -> None:
        """Wait until all workers of a server serve."""
        self.pids: dict[int, int] = {}
        while len(self.pids) < workers:
            self.next_one(server)
        self.sockets = {pid: sockets_of(pid) for pid in self.pids.values()}

    def next_one(self, server: Server) -> int:
        """Wait for a worker that serves; its number."""
        found = server.wait_for(SERVES)
        number, pid = int(found[1]), int(found[2])
        self.pids[number] = pid
        self.started = [*getattr(self, "started", ()), pid]
        return number

    def logged(self, path: str, pattern: str, count: int = 1) -> list[str]:
        """Wait for so many places of a log file, which may have yet to come into being; what each of them says."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
                if len(found := re.findall(pattern, file.read())) >= count:
                    return found
            self.assertLess(time.monotonic(), deadline, pattern)
            time.sleep(0.01)

    def wait_until_gone(self, pid: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while lives(pid):
            self.assertLess(time.monotonic(), deadline, "a worker is left")
            time.sleep(0.01)

    def _end(self, server: Server) -> None:
        """Also of each worker: descriptors back, and in the end, none is left."""
        deadline = time.monotonic() + PATIENCE
        for pid, before in getattr(self, "sockets", {}).items():
            while server.process.poll() is None and sockets_of(pid) > before:
                self.assertLess(time.monotonic(), deadline, "descriptors of a worker are not back")
                time.sleep(0.01)
        super()._end(server)
        for pid in getattr(self, "started", ()):
            self.wait_until_gone(pid)

    def worker_of(self, server: Server, port: int) -> int:
        """Which worker has taken the connection from a port; the log has to tell each one."""
        server.tell()  # what was logged before is in the lines after this
        [number] = [
            int(found[1])
            for line in server.lines
            if (found := re.search(rf"worker (\d+)\] New connection, .* port {port}$", line))
        ]
        return number

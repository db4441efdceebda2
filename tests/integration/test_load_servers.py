"""The load generator against servers that are not ours, and with few descriptors."""

import json
import os
import shutil
import socket
import socketserver
import sys
import threading
import time
from typing import Any

from echoproto.host.serving import free_port
from echoproto.load.errors import HandshakeFailed
from echoproto.load.workload import Churn, Transport
from tests.integration.twistd import PATIENCE, Child, TwistdCase, tool
from tests.support.loads import LoadCase

LIMITED = """
import json, resource, sys
from echoproto.errors import EchoError
from echoproto.load.engine import run
from echoproto.load.workload import Target, Transport, Workload
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[3])))
try:
    outcome = run(Workload(
        target=Target(Transport.TCP, "127.0.0.1", int(sys.argv[1])), connections=100, duration=0.2, warmup=0.0
    ))
    print(json.dumps([outcome.messages, outcome.connected, outcome.errors, outcome.own_limits]))
except EchoError as error:
    print(json.dumps([error.exit_status, str(error)]))
"""


class OtherServersTests(TwistdCase, LoadCase):
    """Servers that are not ours."""

    def until_connected(self, port: int) -> None:
        """Wait until somebody listens there."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def start(self, *words: str) -> None:
        child = Child(tool(self, words[0]), *words[1:], cwd=self.folder())
        self.addCleanup(child.stop)

    def test_socat(self) -> None:
        for echo in ("EXEC:cat", "PIPE"):
            port = free_port()
            self.start("socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", echo)
            self.until_connected(port)
            self.assert_good(self.load(port, greeting=b""))
            self.assert_good(self.load(port, window=3, largest=10_000, half_close=True))

    def test_ncat(self) -> None:
        """Which drops what is still on its way through ``cat`` when it is half-closed; so this does not."""
        port = free_port()
        self.start("ncat", "--keep-open", "--listen", "127.0.0.1", str(port), "--exec", "/bin/cat")
        self.until_connected(port)
        self.assert_good(self.load(port, window=3))

    def test_xinetd(self) -> None:
        """The echo of RFC 862 that it has built in."""
        port, folder = free_port(), self.folder()
        with open(os.path.join(folder, "conf"), "w", encoding="ascii") as file:
            file.write(
                "defaults\n{\n cps = 10000 1\n instances = UNLIMITED\n per_source = UNLIMITED\n}\n"
                "service echo\n{\n type = INTERNAL UNLISTED\n socket_type = stream\n protocol = tcp\n wait = no\n"
                f" user = root\n bind = 127.0.0.1\n port = {port}\n}}\n"
            )
        self.start(
            "xinetd", "-dontfork", "-f", f"{folder}/conf", "-pidfile", f"{folder}/pid", "-filelog", f"{folder}/log"
        )
        self.until_connected(port)
        self.assert_good(self.load(port, half_close=True))
        self.assert_good(self.load(port, churn=Churn.FIN, count=20))

    def test_socketserver(self) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                shutil.copyfileobj(self.rfile, self.wfile, 1)

        class ThreadingServer(socketserver.ThreadingTCPServer):
            daemon_threads = True

        with ThreadingServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            self.assert_good(self.load(server.server_address[1], half_close=True))
            server.shutdown()
            thread.join(PATIENCE)


class LimitsTests(TwistdCase, LoadCase):
    def test_tls_where_there_is_none(self) -> None:
        server = self.serve("--greeting", "no TLS here")
        for verify in (True, False):
            error = self.assertRaises(HandshakeFailed, self.load, server.port, transport=Transport.TLS, verify=verify)
            self.assertTrue(str(error).endswith("does it speak TLS there?"), error)

    def limited(self, port: int, soft: int, hard: int) -> list[Any]:
        ended = self.run_to_end(sys.executable, "-c", LIMITED, str(port), str(soft), str(hard))
        told: list[Any] = json.loads(ended.stdout)
        return told

    def test_own_descriptors_run_out(self) -> None:
        """L3: says what this side has run out of; what could be connected goes on."""
        server = self.serve()
        messages, connected, errors, limits = self.limited(server.port, 40, 40)
        self.assertGreater(messages, 0)
        self.assertIn(connected, range(10, 40))
        self.assertEqual((errors, limits), ({}, {"descriptors": 100 - connected}))
        for limit, why in ((4, "no descriptors left here"), (3, "Too many open files")):
            status, line = self.limited(server.port, limit, limit)
            self.assertEqual(status, 4)
            self.assertIn(f"client limit: {why}", line)

    def test_as_many_descriptors_as_it_may_have(self) -> None:
        server = self.serve()
        messages, connected, errors, limits = self.limited(server.port, 40, 400)
        self.assertGreater(messages, 0)
        self.assertEqual((connected, errors, limits), (100, {}, {}))

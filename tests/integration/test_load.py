"""The load generator, against the service and against servers that are not ours."""

import json
import os
import shutil
import socket
import socketserver
import sys
import threading
import time
from functools import partial
from typing import Any

from echoproto.host.serving import free_port
from echoproto.load.engine import run
from echoproto.load.errors import HandshakeFailed
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Churn, Target, Transport
from tests.integration.twistd import PATIENCE, Child, TwistdCase, tool
from tests.support.loads import LoadCase, at_once, workload

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


class LoadTwistdCase(TwistdCase, LoadCase):
    """Loads on servers in processes of their own."""

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


class OwnServiceTests(LoadTwistdCase):
    def test_tcp(self) -> None:
        server = self.serve()
        for settings in (
            {"connections": 20, "idle": 20, "server_pid": server.pid, "warmup": 0.1},
            {"window": 5, "smallest": 1, "largest": 100_000, "half_close": True},
            {"smallest": 1 << 20, "largest": 1 << 20, "window": 2, "count": 10},
            {"rate": 500.0, "window": 2},
            {"churn": Churn.FIN, "count": 100},
            {"churn": Churn.RESET, "count": 100},
            {"churn": Churn.FIN, "half_close": True, "count": 100},
            {"greeting": b"Hello\n"},
        ):
            outcome = self.load(server.port, **settings)
            self.assert_good(outcome)
            self.assertEqual(outcome.server_cpu is not None, "server_pid" in settings)
        self.assertGreater(server.counters()["accepted"], 300)

    def test_tls(self) -> None:
        endpoint = self.tls_endpoint()
        server = self.serve("--listen", endpoint)
        target = Target(Transport.TLS, "localhost", server.port)
        pem = endpoint.rpartition("=")[2]
        for settings in (
            {"verify": False, "idle": 3},
            {"ca": pem},
            {"ca": pem, "window": 5, "smallest": 1, "largest": 100_000, "half_close": True},
            {"ca": pem, "rate": 200.0, "half_close": True},
            {"ca": pem, "churn": Churn.FIN, "count": 20},
            {"ca": pem, "churn": Churn.RESET, "count": 20},
            {"ca": pem, "churn": Churn.FIN, "half_close": True, "count": 20},
        ):
            self.assert_good(self.load(server.port, target=target, **settings))
        error = self.assertRaises(HandshakeFailed, self.load, server.port, target=target)
        self.assertEqual(error.exit_status, 3)
        self.assertIn("self-signed certificate: --ca FILE or --insecure may help", str(error))

    def test_tls_where_there_is_none(self) -> None:
        server = self.serve("--greeting", "no TLS here")
        for verify in (True, False):
            error = self.assertRaises(HandshakeFailed, self.load, server.port, transport=Transport.TLS, verify=verify)
            self.assertTrue(str(error).endswith("does it speak TLS there?"), error)

    def test_unix(self) -> None:
        path = os.path.join(self.folder(), "s")
        server = self.serve("--port", "0", "--listen", f"unix:{path}")
        server.wait_for(r"Listening")
        target = Target(Transport.UNIX, path=path)
        for settings in (
            {"connections": 20},
            {"window": 5, "largest": 50_000, "half_close": True},
            {"churn": Churn.FIN},
        ):
            self.assert_good(self.load(0, target=target, **settings))

    def test_udp(self) -> None:
        server = self.serve("--interface", "127.0.0.1", "--udp", "0")
        port = int(server.wait_for(r"Listening for UDP, socket fd is \d+, address \S+, port (\d+)$")[1])
        for settings in ({"window": 4}, {"count": 50, "smallest": 16, "largest": 9000}, {"rate": 300.0}):
            outcome = self.load(port, transport=Transport.UDP, **settings)
            self.assert_good(outcome)

    def test_it_is_killed_in_mid_run(self) -> None:
        """L1: what was lost or is unknown is reported, and nothing hangs."""
        server = self.serve()
        kinds: tuple[dict[str, Any], ...] = (
            {},
            {"rate": 500.0},
            {"churn": Churn.FIN},
            {"window": 4, "smallest": 50_000, "largest": 50_000},
        )
        under_way: set[int] = set()

        def load(number: int, settings: dict[str, Any]) -> Outcome:
            def progress(outcome: Outcome) -> None:
                if outcome.messages:
                    under_way.add(number)
                if len(under_way) == len(kinds):
                    server.process.kill()

            settings = {"connections": 10, "duration": 60.0, **settings}
            return run(workload(server.port, **settings), progress=progress)

        begun = time.monotonic()
        outcomes = at_once(*(partial(load, number, settings) for number, settings in enumerate(kinds)))
        self.assertLess(time.monotonic() - begun, PATIENCE)
        for outcome, settings in zip(outcomes, kinds, strict=True):
            self.assert_adds_up(outcome)
            self.assertGreater(outcome.messages, 0)
            self.assertGreaterEqual(outcome.errors.total(), 10)
            self.assertGreaterEqual(outcome.lost + outcome.unknown, 50_000 if "window" in settings else 0)
            self.assertFalse(outcome.interrupted)

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


class OtherServersTests(LoadTwistdCase):
    """Servers that are not ours."""

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

"""What of workers has nothing to do with the reactor: how they start, what signals mean to them, how they log."""

import contextlib
import json
import os
import re
import signal
import socket
import sys
import time

from echoproto.server.workers.handover import kernel_balances
from tests.integration.test_stopping import read_to_the_end, send_until_stuck
from tests.integration.twistd import PATIENCE, FailingCase, Server, script
from tests.integration.workers import WorkersCase, lives
from tests.support.clients import exchange, payload, receive


class SignalsTests(WorkersCase):
    def test_a_second_signal(self) -> None:
        """O7: means now, to all of them, from a second later on."""
        server = self.serve_with(2, "--greeting", "", "--drain", "600")
        with server.connect() as client:
            send_until_stuck(client, payload(32 << 20))
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("Waiting up to 600 s for 1 connection to end")
            server.stop_now(signal.SIGINT)
            self.assertGreaterEqual(time.monotonic() - begun, 1)
            self.assertEqual(server.end(), 0)
        self.assertIn('"closed": {"drain": 1}', "\n".join(server.lines))

    def test_what_is_sent_to_all_processes(self) -> None:
        """O7: Ctrl-C, and a service manager's SIGTERM, reach the workers, too, and are one signal still."""
        for number in (signal.SIGINT, signal.SIGTERM):
            server = self.serve_with(2, "--greeting", "")
            with server.connect() as client:
                client.sendall(b"x")
                self.assertEqual(receive(client, 1), b"x")
                for _ in range(2):
                    for pid in (*self.pids.values(), server.pid):
                        os.kill(pid, number)
                self.assertEqual(server.end(), 0)
                self.assertEqual(receive(client, 1), b"")
            log = "\n".join(server.lines)
            self.assertNotIn("aborting", log)
            self.assertIn('"closed": {"stop": 1}', log)

    def test_others_are_for_the_service_only(self) -> None:
        """O9: a worker does not mind them."""
        server = self.serve_with(2, "--greeting", "")
        for pid in self.pids.values():
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGPIPE):
                os.kill(pid, number)
        for _ in range(10):
            with server.connect() as client:
                self.assertEqual(exchange(client, b"x"), b"x")
        self.assertNotIn("has ended", "\n".join(server.lines))
        self.assertEqual(server.counters()["accepted"], 10)

    def test_a_worker_that_is_told_to_stop(self) -> None:
        """O11: it stops in order, and is replaced: so they can be renewed one by one."""
        server = self.serve_with(2)
        before = self.pids[1]
        os.kill(before, signal.SIGTERM)
        server.wait_for(r"Worker 1 stops; a new one starts in \d")
        self.assertEqual(self.next_one(server), 1)
        self.wait_until_gone(before)

    def test_workers_that_take_long_to_stop(self) -> None:
        """O11: their successors serve meanwhile; nobody is refused, and no datagram waits for their end."""
        server = self.serve_with(2, "--greeting", "", "--drain", "600", "--udp", "0")
        [udp] = [int(found[1]) for line in server.lines if (found := re.search(r"for UDP, .* port (\d+)$", line))]
        data = payload(32 << 20)
        with server.connect() as client:
            send_until_stuck(client, data)
            number = self.worker_of(server, client.getsockname()[1])
            before = dict(self.pids)
            for pid in before.values():
                os.kill(pid, signal.SIGTERM)
            for _ in range(40):
                server.connect().close()
            self.assertEqual({self.next_one(server), self.next_one(server)}, {0, 1})
            self.wait_until_gone(before[1 - number])
            for _ in range(40):
                with server.connect() as other, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
                    self.assertEqual(exchange(other, b"x"), b"x")
                    datagrams.settimeout(PATIENCE)
                    datagrams.sendto(b"x", ("127.0.0.1", udp))
                    self.assertEqual(datagrams.recv(100), b"x")
            self.assertTrue(lives(before[number]))
            received = read_to_the_end(client)
            self.assertTrue(received and received == data[: len(received)])
        server.wait_for(f"The former worker {number} has ended: exit status 0")
        counters = server.counters()
        self.assertEqual(counters["closed"].get("worker", 0), 0)

    def test_reload(self) -> None:
        """O8: all of them hold to the new settings, also one that comes later."""
        path = os.path.join(self.folder(), "echo.toml")

        def write(greeting: str) -> None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"greeting = '{greeting}'\nworkers = 2")

        def greetings(server: Server) -> set[bytes]:
            found = set()
            for _ in range(12):
                with server.connect() as client:
                    found.add(receive(client, 3))
            return found

        write("One")
        server = self.serve_with(2, "--config", path, "--port", "0")
        self.assertEqual(greetings(server), {b"One"})
        write("Two")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("Received SIGHUP, reloaded")
        deadline = time.monotonic() + PATIENCE
        while greetings(server) != {b"Two"}:
            self.assertLess(time.monotonic(), deadline)
        os.kill(self.pids[0], signal.SIGKILL)
        self.assertEqual(self.next_one(server), 0)
        self.assertEqual(greetings(server), {b"Two"})


class LimitsTests(WorkersCase):
    def test_connections(self) -> None:
        """C3: all together let no more in than asked for, and count each refusal."""
        server = self.serve_with(2, "--greeting", "", "--max-connections", "10")
        clients = [self.enterContext(server.connect()) for _ in range(60)]
        inside = 0
        for client in clients:
            try:
                client.sendall(b"x")
                inside += receive(client, 1) == b"x"
            except (ConnectionResetError, BrokenPipeError):
                continue
        counters = server.tell()
        self.assertEqual((counters["accepted"], counters["active"]), (inside, inside))
        self.assertEqual(counters["refused"], {"max-connections": 60 - inside})
        if kernel_balances():  # else one of them may take all, and then lets in no more than its share
            self.assertEqual(inside, 10)


class StartingTests(FailingCase, WorkersCase):
    def test_a_port_in_use(self) -> None:
        """O1: by another instance with workers, which could share the port; exit status 1, and one line."""
        server = self.serve_with(2)
        port = str(server.port)
        expected = f"echo: can't listen on port {port} on all addresses: Address already in use"
        for workers in ("2", "1"):
            self.assertIn(expected, self.complaint("--port", port, "--workers", workers, status=1))

    def test_under_twist(self) -> None:
        server = self.serve_with(2, "--log-format", "text", twistd=(), program="twist")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")
        self.assertEqual(server.stop(), 0)

    def test_json(self) -> None:
        """Each event of a worker has its number, and its fields."""
        server = self.serve_with(2, "--log-format", "json")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")
        self.assertEqual(server.stop(), 0)
        events = [json.loads(line) for line in server.lines]
        [event] = [event for event in events if event["event"] == "disconnected"]
        self.assertIn(event["worker"], (0, 1))
        self.assertEqual((event["bytes"], event["why"]), (1, "closed by peer"))
        self.assertTrue(0 < event["seconds"] < PATIENCE, event)

    def test_daemon(self) -> None:
        """Workers belong to the daemon, which was not there yet when the command was read."""
        folder = self.folder()
        words = ("echo", "--port", "0", "--workers", "2", "--greeting", "")
        ended = self.run_to_end(script("twistd"), *words, cwd=folder)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        with open(f"{folder}/twistd.pid", encoding="ascii") as file:
            daemon = int(file.read())
        try:
            pids = self.logged(f"{folder}/twistd.log", r"Worker \d serves, process (\d+)", 2)
        finally:
            os.kill(daemon, signal.SIGTERM)
        for pid in [daemon, *map(int, pids)]:
            self.wait_until_gone(pid)
        self.assertFalse(os.path.exists(f"{folder}/twistd.pid"))

    def test_modules_of_the_current_folder_are_not_loaded(self) -> None:
        """A daemon may be started anywhere."""
        folder = self.folder()
        with open(f"{folder}/json.py", "w", encoding="ascii") as file:
            file.write("raise SystemExit('of this folder')")
        words = ("--port", "0", "--workers", "2")
        server = Server(script("twistd"), "-n", "echo", *words, cwd=folder)
        self.addCleanup(self._end, server)
        server.listening()
        self.all_serve(server, 2)

    def test_nobody_has_started_it(self) -> None:
        """It is no command of its own: without orders, it ends at once."""
        ended = self.run_to_end(sys.executable, "-m", "echoproto.server.workers.worker", "0")
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "", ""))
        self.assertTrue(lives(os.getpid()))


class BackoffTests(WorkersCase):
    def test_nobody_is_refused_while_no_worker_is_left(self) -> None:
        """O11: clients wait, also for a worker that is to start later, and are served by the first that lives."""
        server = self.serve_with(2)
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        waiting = r"No worker is left; clients that connect wait until the next one starts in \d+\.\d s"
        for _ in range(100):  # each is replaced later and later, unless it takes five seconds to come
            found = server.wait_for(rf"Worker \d serves, process (\d+)|{waiting}")
            if found[1] is None:
                break
            os.kill(int(found[1]), signal.SIGKILL)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(20)]
            for client in clients:
                self.assertEqual(exchange(client, b"x"), b"Hello\nx")
        self.all_serve(server, 2)

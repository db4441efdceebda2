"""Starts that fail, each with one line that says why."""

import os
import socket
import sys

from tests.integration.test_starting import start_daemon, wait_until_gone
from tests.integration.twistd import REACTOR, FailingCase, script, tool


class FailingTests(FailingCase):
    def setUp(self) -> None:
        other = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.busy = other.getsockname()[1]

    def test_port_in_use(self) -> None:
        """O1."""
        line = self.complaint("--port", str(self.busy), "--reactor", REACTOR, status=1)
        self.assertIn(f"can't listen on port {self.busy} on all addresses: Address already in use", line)

    def test_port_in_use_under_check(self) -> None:
        """O5."""
        self.assertIn("Address already in use", self.complaint("--check", "--port", str(self.busy), status=1))

    def test_port_in_use_under_twist(self) -> None:
        ended = self.run_to_end(script("twist"), "echo", "--port", str(self.busy), "--reactor", REACTOR)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Address already in use", ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)

    def test_port_in_use_as_a_daemon(self) -> None:
        """O1: the command that starts a daemon fails, too; its log says why, and its pid file is gone."""
        folder = self.folder()
        ended, gone = start_daemon(self, folder, "echo", "--port", str(self.busy))
        self.assertEqual(ended.returncode, 1, ended)
        [line] = ended.stderr.splitlines()
        self.assertTrue(line.startswith(f"echo: can't listen on port {self.busy} on all addresses: Address alr"), line)
        wait_until_gone(self, gone)
        self.assertEqual(os.listdir(folder), ["twistd.log"])
        with open(f"{folder}/twistd.log", encoding="utf-8") as log:
            text = log.read()
        self.assertIn("[echoproto#critical] can't listen on port", text)
        self.assertNotIn("Traceback", text)

    def test_privileged_port(self) -> None:
        """O2."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        setpriv = tool(self, "setpriv")
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            if int(file.read()) <= 7:
                self.skipTest("this system has no privileged ports")
        line = self.complaint("--port", "7", status=1, prefix=(setpriv, "--bounding-set=-net_bind_service"))
        self.assertIn("can't listen on port 7 on all addresses: Permission denied; ports below 1024 need root", line)

    def test_unreadable_file(self) -> None:
        """O4; root reads everything, unless it gives that up."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        path = f"{self.folder()}/echo.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write("port = 0")
        os.chmod(path, 0)
        prefix = (tool(self, "setpriv"), "--bounding-set=-dac_override,-dac_read_search")
        self.assertEqual(
            self.complaint("--config", path, status=2, prefix=prefix), f"echo: {path}: can't be read: Permission denied"
        )

    def test_address_that_is_not_local(self) -> None:
        """O3."""
        self.assertIn("on 192.0.2.1: ", self.complaint("--interface", "192.0.2.1", "--port", "0", status=1))

    def test_what_was_written_wrong(self) -> None:
        """O4."""
        path = f"{self.folder()}/echo.toml"
        for content, expected in (
            (b"\nprot = 1", f"{path}:2: prot: unknown key (did you mean 'port'?)"),
            (b'port = "x"', f"{path}:1: port: 'x': must be a whole number from 0 to 65535"),
            (b"", f"{path}: is empty"),
            (b"\xff", f"{path}:1: must be UTF-8 text"),
        ):
            with open(path, "wb") as file:
                file.write(content)
            self.assertIn(expected, self.complaint("--config", path, status=2))
        self.assertIn("can't be read: Is a directory", self.complaint("--config", "/", status=2))
        self.assertIn("did you mean '--port'?", self.complaint("--prot", "1", status=2))

    def test_one_of_several_listeners_fails(self) -> None:
        """O4: nothing half-open stays, of files either."""
        folder = self.folder()
        listen = ("--listen", f"unix:{folder}/s", "--listen", f"tcp:{self.busy}:interface=127.0.0.1")
        self.complaint(*listen, "--reactor", REACTOR, status=1)
        self.assertEqual(os.listdir(folder), [])


class ReactorTests(FailingCase):
    def config(self, content: str) -> str:
        path = f"{self.folder()}/echo.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def test_one_that_this_platform_lacks(self) -> None:
        """O14."""
        line = self.complaint("--reactor", "iocp", status=1)
        self.assertRegex(line, r"the reactor 'iocp' is not available here \(.*\): .*; available here: auto, .*select")

    def test_unknown_one(self) -> None:
        line = self.complaint("--config", self.config("\nreactor = 'selekt'"), status=2)
        self.assertRegex(line, r"echo.toml:2: reactor: no such reactor: 'selekt' \(did you mean 'select'\?\)")

    def test_unknown_one_of_the_runner(self) -> None:
        """The runners report it themselves, before `echo` is loaded; the guide lists how."""
        for program, status, said in (("twistd", 1, "does not exist: 'nope'"), ("twist", 64, "Unknown reactor: nope")):
            ended = self.run_to_end(script(program), "--reactor", "nope", "echo")
            self.assertEqual(ended.returncode, status, ended)
            self.assertIn(said, ended.stdout + ended.stderr)


class UDPTests(FailingCase):
    def test_udp_port_in_use(self) -> None:
        """O1, O4: one line, and TCP is not served, either."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            number = other.getsockname()[1]
            for check in ((), ("--check",)):
                line = self.complaint("--port", "0", "--udp", str(number), *check, status=1)
                self.assertIn(f"echo: can't listen on UDP port {number} on 127.0.0.1: Address already in use; ", line)

    def test_tcp_port_in_use(self) -> None:
        """O1, O4: UDP is not served, either."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.complaint("--port", str(other.getsockname()[1]), "--udp", "0", status=1)

    def test_privileged_udp_port(self) -> None:
        """O2."""
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv is Linux's")
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            if int(file.read()) <= 53:
                self.skipTest("this system has no privileged ports")
        prefix = (tool(self, "setpriv"), "--bounding-set=-net_bind_service")
        line = self.complaint("--port", "0", "--udp", "53", status=1, prefix=prefix)
        self.assertIn("can't listen on UDP port 53 on 127.0.0.1: Permission denied; ports below 1024 need root", line)

    def test_check(self) -> None:
        """O5: it opens the port, and names it."""
        ended = self.run_to_end(script("twistd"), "-n", "echo", "--port", "0", "--udp", "0", "--check")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertIn("  UDP port 0 on 127.0.0.1\n", ended.stdout)

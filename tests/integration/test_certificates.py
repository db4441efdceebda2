"""The certificates of TLS: what is wrong with them at a start, whom they are chosen for, and their renewal."""

import os
import re
import signal
import socket
import ssl
import subprocess

from tests.integration.twistd import PATIENCE, FailingCase, Server, script, tool
from tests.integration.workers import WorkersCase
from tests.support.certificates import issue
from tests.support.clients import name_served

ROOT = issue("Root", authority=True)
MIDDLE = issue("Middle", issuer=ROOT, authority=True)


class CertificatesCase(FailingCase):
    def setUp(self) -> None:
        self.where = self.folder()
        os.chmod(self.where, 0o755)
        self.pems = self.make_folder("pems")

    def make_folder(self, name: str) -> str:
        os.mkdir(path := os.path.join(self.where, name))
        return path

    def write(self, path: str, *parts: bytes) -> str:
        path = os.path.join(self.where, path)
        with open(path, "wb") as file:
            file.write(b"".join(parts))
        return path


class StartTests(CertificatesCase):
    def assert_refused(self, listen: str, expected: str, *words: str) -> None:
        line = self.complaint("--listen", listen, *words, status=2)
        self.assertEqual(line, f"echo: --listen: {listen!r}: {expected}")

    def test_what_is_wrong(self) -> None:
        """S10, O5: exit status 2, and one line that names the file."""
        leaf, other = issue("leaf", "leaf.example", issuer=ROOT), issue("other", "other.example")
        path = self.write("pems/leaf.pem", leaf.pem)
        for words in ((), ("--check",)):
            self.assert_refused(
                f"tls:{self.pems}:0", f"{path}: there is no private key in {self.pems} for leaf.example", *words
            )
        self.write("pems/leaf.pem", leaf.pem, other.key_pem)
        self.assert_refused(f"tls:{self.pems}:0", f"{path}: its private key belongs to no certificate in {self.pems}")
        certificate, key = self.write("leaf.crt", leaf.pem), self.write("leaf.key", other.key_pem)
        self.assert_refused(
            f"ssl:0:privateKey={key}:certKey={certificate}",
            f"{key}: its private key belongs to no certificate in {certificate}, {key}",
        )
        chain = self.write("chain.pem", b"garbage")
        self.assert_refused(
            f"ssl:0:privateKey={key}:certKey={certificate}:extraCertChain={chain}",
            f"{chain}: holds neither a certificate nor a private key in PEM format",
        )

    def test_a_folder_in_place_of_a_file(self) -> None:
        os.mkdir(f"{self.pems}/x.pem")
        self.assert_refused(f"tls:{self.pems}:0", f"{self.pems}/x.pem: Is a directory")

    def test_an_expired_one(self) -> None:
        """It is served, and a line says so."""
        path = self.write("pems/old.pem", issue("old", "old.example", days=(-9, -1)).both)
        said = rf"{path}: old.example expired on \d{{4}}-\d\d-\d\d at \d\d:\d\d UTC$"
        listen = ("--listen", f"tls:{self.pems}:0")
        checked = self.run_to_end(script("twistd"), "-n", "echo", "--check", *listen)
        self.assertEqual(checked.returncode, 0, checked)
        self.assertRegex(checked.stderr, rf"^echo: warning: {said}")
        server = self.serve(*listen)
        server.wait_for(rf"\[echoproto#warn\] {said}")
        self.assertEqual(name_served(server.port), "old")

    def test_a_chain_in_any_order(self) -> None:
        """A root among it once made an endless loop of the start; what is sent leads to the root."""
        leaf = issue("leaf", "leaf.example", issuer=MIDDLE)
        self.write("pems/leaf.pem", ROOT.pem, MIDDLE.pem, MIDDLE.pem, leaf.both)
        files = [self.write(name, pem) for name, pem in (("key", leaf.key_pem), ("crt", leaf.pem))]
        chain = self.write("chain", ROOT.pem, MIDDLE.pem)
        listen = f"ssl:0:privateKey={files[0]}:certKey={files[1]}:extraCertChain={chain}"
        server = self.serve("--listen", f"tls:{self.pems}:0", "--listen", listen)
        for port in (server.port, int(server.listening()[3])):
            self.assertEqual(name_served(port, trusted=ROOT.pem), "leaf")


class NamesTests(CertificatesCase):
    def test_names_that_nobody_has(self) -> None:
        """A handshake with any name succeeds, and none of them is worth a line."""
        openssl = tool(self, "openssl")
        self.write("pems/a.pem", issue("a", "a.example").both)
        self.write("pems/b.pem", issue("b", "b.example").both)
        server = self.serve("--listen", f"tls:{self.pems}:0", "--log-connections", "off")
        lines = len(server.lines)
        asked = (b"\xff\xfe", b"c.example", b"../x", b"x" * 255, b"127.0.0.1", b"B.EXAMPLE.", b"xn--tda.example")
        for name in asked:
            ended = subprocess.run(
                [openssl, "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", name],
                input=b"",
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
            common = b"b" if name == b"B.EXAMPLE." else b"a"
            self.assertRegex(ended.stdout, rb"subject=CN ?= ?%s\n" % common, name)
        self.assertEqual(server.counters()["closed"], {"peer": len(asked)})
        self.assertEqual(["Counters" in line for line in server.lines[lines:]], [True] * len(server.lines[lines:]))


class RenewalTests(CertificatesCase, WorkersCase):
    def hup(self, server: Server, said: str = "Received SIGHUP, reloaded$") -> None:
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(said)

    def serve_both(self, *words: str, twistd: tuple[str, ...] = ("-n",), workers: int = 1) -> Server:
        """Serve a folder and a file, with certificates for ``old``."""
        self.write("pems/a.pem", issue("old", "a.example").both)
        self.file = self.write("file", issue("old", "a.example").both)
        listen = ("--listen", f"tls:{self.pems}:0", "--listen", f"ssl:0:privateKey={self.file}", *words)
        server = self.serve(*listen, "--workers", str(workers), twistd=twistd)
        self.ports = [server.port, int(server.listening()[3])]
        if workers > 1:
            self.all_serve(server, workers)
        return server

    def served(self) -> list[str]:
        return [name_served(port) for port in self.ports]

    def renew(self) -> None:
        for path in ("pems/a.pem", "file"):
            self.write(path, issue("new", "a.example").both)

    def test_renewed(self) -> None:
        """S11: for connections to come; who is connected stays so."""
        server = self.serve_both()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(server.connect()) as client:
            self.assertEqual(client.recv(6), b"Hello\n")
            self.renew()
            self.assertEqual(self.served(), ["old", "old"])
            self.hup(server)
            self.assertEqual(self.served(), ["new", "new"])
            client.sendall(b"still here")
            self.assertEqual(client.recv(10), b"still here")

    def test_bad_ones(self) -> None:
        """S11: the old ones stay, and one line says why, by listener; the others are renewed."""
        server = self.serve_both()
        self.renew()
        path = self.write("pems/b.pem", issue("b", "b.example").pem)
        self.hup(server, f"Reload failed: {path}: there is no private key in .*; keeping the previous certificates$")
        self.assertEqual(self.served(), ["old", "new"])

    def test_settings_that_are_bad(self) -> None:
        """S11, O8: they do not keep the certificates from being renewed, nor the other way round."""
        config = self.write("echo.toml", b"idle = 100")
        server = self.serve_both("--config", config)
        self.renew()
        self.write("echo.toml", b"gruss = 1")
        self.hup(server, "unknown key.*; keeping the previous settings$")
        self.assertEqual(self.served(), ["new", "new"])
        self.write("echo.toml", b"log-connections = false")
        self.write("file")
        self.hup(server, f"Reload failed: {self.file}: is empty; keeping the previous certificates$")
        self.assertEqual(self.served(), ["new", "new"])
        self.assertEqual([line for line in server.lines if "reloaded" in line], [])

    def test_by_workers(self) -> None:
        """S11: also by those that are started later."""
        server = self.serve_both(workers=2)
        self.renew()
        self.hup(server)
        for _ in range(6):
            self.assertEqual(self.served(), ["new", "new"])
        os.unlink(self.file)
        os.kill(self.pids[0], 9)
        self.next_one(server)
        for _ in range(6):
            self.assertEqual(self.served(), ["new", "new"])

    def test_keys_that_only_root_may_read(self) -> None:
        """S11: the service has given up the right to read them; it says so, and keeps the old."""
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        for name in ("pems/a.pem", "file"):
            self.write(name)
            os.chmod(os.path.join(self.where, name), 0o600)
        server = self.serve_both(twistd=("-n", "--uid", "65534"))
        self.renew()
        self.hup(server, f"Reload failed: {self.pems}/a.pem: Permission denied; keeping the previous certificates$")
        server.wait_for(f"Reload failed: {self.file}: Permission denied; keeping the previous certificates$")
        self.assertEqual(self.served(), ["old", "old"])


class FamiliesTests(CertificatesCase):
    def test_every_endpoint_listens_where_the_log_says(self) -> None:
        """
        ``::`` is all of IPv6 and IPv4, unless the line says otherwise.

        With workers as without, which have sockets of their own.
        """
        path = self.write("pems/a.pem", issue("a", "a.example").both)
        places = (
            ("tcp:0", "0.0.0.0", ""),
            ("tcp:0:interface=", "0.0.0.0", ""),
            ("tcp:0:interface=\\:\\:1", "::1", ""),
            ("tcp6:0", "::", " (IPv6 only)"),
            (f"ssl:0:privateKey={path}", "0.0.0.0", ""),
            (f"tls:{self.pems}:0", "::", ""),
            (f"tls:{self.pems}:0:interface=", "::", ""),
            (f"tls:{self.pems}:0:interface=127.0.0.1", "127.0.0.1", ""),
            (f"tls:{self.pems}:0:interface=\\:\\:", "::", " (IPv6 only)"),
        )
        words = [word for description, _, _ in places for word in ("--listen", description)]
        for workers in ("1", "2"):
            server = self.serve(*words, "--workers", workers, "--log-connections", "off")
            listening = [server.lines[-1], *(server.listening().string for _ in places[1:])]
            for line, (description, address, families) in zip(listening, places, strict=True):
                self.assertRegex(line, rf"address {address}, port \d+, reactor \S+{re.escape(families)}$", description)
                port = int(line.split("port ")[1].split(",")[0])
                reached = [self.reaches(socket.AF_INET, "127.0.0.1", port), self.reaches(socket.AF_INET6, "::1", port)]
                ipv4 = address in ("0.0.0.0", "127.0.0.1") or (address == "::" and not families)
                self.assertEqual(reached, [ipv4, ":" in address], description)

    def reaches(self, family: socket.AddressFamily, host: str, port: int) -> bool:
        with socket.socket(family) as client:
            client.settimeout(PATIENCE)
            return client.connect_ex((host, port)) == 0

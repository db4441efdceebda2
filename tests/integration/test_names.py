"""Names and paths of all shapes: the log, JSON and ``--check`` have each on one line."""

import contextlib
import ipaddress
import json
import os
import socket
import sys

from tests.integration.twistd import PATIENCE, FailingCase, script
from tests.support.clients import exchange

LINK_SCOPE, TENTATIVE = "20", 0x40
"""Of addresses of /proc/net/if_inet6: link-local ones, and the flag of one that can't be used yet."""

SHAPES = (
    ("a b", r"a\x20b"),
    ("a:b", "a:b"),
    ("%s%(x)d{y}", "%s%(x)d{y}"),
    ("a\nb", r"a\nb"),
    ("a\\nb", r"a\\nb"),
    ("\udcff", r"\xff"),
    ("\x1b[31m", r"\x1b[31m"),
    ("\xfc, port 1", "\xfc,\\x20port\\x201"),
)
"""Names of files, and how the log shows them."""


class UnixNamesTests(FailingCase):
    def listening(self, *words: str) -> tuple[list[str], list[bytes]]:
        """Serve sockets at all of them; the lines of the log, and where the sockets are."""
        folder = self.folder()
        escaped = [name.replace("\\", "\\\\").replace(":", "\\:") for name, _ in SHAPES]
        names = [f"{folder}/{name}" for name in escaped] + ["@echo a\nb"] * sys.platform.startswith("linux")
        server = self.serve(*(word for name in names for word in ("--listen", f"unix:{name}")), *words)
        lines = [server.lines[-1]]
        while len(lines) < len(names):
            lines.append(server.wait_for('Listening, |"event":"listening"').string)
        self.shown = [f"{folder}/{shown}" for _, shown in SHAPES] + [r"@echo\x20a\nb"] * sys.platform.startswith(
            "linux"
        )
        paths = [os.fsencode(f"{folder}/{name}") for name, _ in SHAPES]
        for path in paths + [b"\0echo a\nb"] * sys.platform.startswith("linux"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(path)
                self.assertEqual(exchange(client, b"x"), b"Hello\nx")
        self.assertEqual(server.stop(), 0)
        self.closed = [line for line in server.lines if "UNIX Port" in line]
        return lines, paths

    def test_in_the_log(self) -> None:
        lines, paths = self.listening("--log-connections", "off")
        for line, shown in zip(lines, self.shown, strict=True):
            self.assertIn(f", address {shown}, port None, reactor ", line)
        self.assertEqual(
            [line.partition("UNIX Port ")[2] for line in self.closed], [f"{s} Closed)" for s in self.shown]
        )
        self.assertEqual([path for path in paths if os.path.lexists(path)], [])

    def test_as_json(self) -> None:
        lines, _ = self.listening("--log-format", "json")
        self.assertEqual([json.loads(line)["address"] for line in lines], self.shown)

    def test_under_check(self) -> None:
        """Also the name of the file that a setting comes from."""
        folder = self.folder()
        with open(f"{folder}/a\n\udcff.toml", "w", encoding="ascii") as file:
            file.write("idle = 7\n")
        words = ("--config", file.name, "--listen", f"unix:{folder}/b\n\udcff")
        ended = self.run_to_end(script("twistd"), "-n", "echo", "--check", *words)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        lines = ended.stdout.splitlines()
        self.assertEqual(lines[1], rf"  unix:{folder}/b\n\xff")
        [idle] = [line.split(None, 2) for line in lines if line.startswith("  idle ")]
        self.assertEqual(idle, ["idle", "7", rf"{folder}/a\n\xff.toml:1: idle"])

    def test_errors(self) -> None:
        """X5, O4."""
        folder = self.folder()
        line = self.complaint("--listen", f"unix:{folder}/no\n\udcff/s", status=1)
        self.assertIn(rf"{folder}/no\n\xff: No such file or directory", line)
        self.assertIn("its path is missing", self.complaint("--listen", "unix:@", status=2))
        self.assertIn("109 bytes long", self.complaint("--listen", f"unix:@{'x' * 108}", status=2))


class InterfaceTests(FailingCase):
    def test_link_local_addresses(self) -> None:
        """O3: they are of an interface, which has to be there."""
        line = self.complaint("--port", "0", "--interface", "fe80::1", status=1)
        self.assertIn("a link-local address needs its network interface, as in fe80::1%eth0", line)
        line = self.complaint("--udp", "0", "--udp-interface", "fe80::1%nope", "--port", "0", status=1)
        self.assertIn("this host has no network interface 'nope'", line)
        line = self.complaint("--port", "0", "--interface", "::1%lo", status=1)
        self.assertIn("only a link-local address has a network interface; write it without %lo", line)

    def test_a_link_local_address_with_its_interface(self) -> None:
        """The log shows both, over TCP and UDP; where the host has none, there is none to listen on."""
        found = [f"{address}%{link}" for address, link in self.link_local_addresses()]
        for interface in found[:1]:
            server = self.serve("--port", "0", "--interface", interface, "--udp", "0", "--udp-interface", interface)
            server.wait_for(rf"Listening for UDP, .* address {interface}, port \d+$")
            self.assertIn(f"address {interface}, port ", "\n".join(server.lines))

    def link_local_addresses(self) -> list[tuple[str, str]]:
        """From /proc/net/if_inet6 of Linux; elsewhere, none is known."""
        with contextlib.suppress(FileNotFoundError), open("/proc/net/if_inet6", encoding="ascii") as file:
            rows = [line.split() for line in file]
            return [
                (str(ipaddress.IPv6Address(bytes.fromhex(row[0]))), row[5])
                for row in rows
                if row[3] == LINK_SCOPE and not int(row[4], 16) & TENTATIVE
            ]
        return []

    def test_names(self) -> None:
        """One of a host stands for its IPv4 address, which the log shows; one of a network interface is none."""
        server = self.serve("--listen", "tcp:0:interface=localhost")
        self.assertRegex(server.lines[-1], r"address 127\.0\.0\.1, port \d+,")
        line = self.complaint("--listen", "tcp:0:interface=no-such-host.invalid", status=1)
        self.assertIn("'no-such-host.invalid' is neither an IP address, such as 127.0.0.1, nor the name", line)

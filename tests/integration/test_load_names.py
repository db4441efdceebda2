"""``echoproto load`` and the names of its targets: Unix sockets of all shapes, in all outputs, and names of the DNS."""

import contextlib
import json
import os
import socket
import sys
import threading

from tests.integration.twistd import PATIENCE, TwistdCase, script

REBINDING = """
import os, socket

answered = socket.getaddrinfo

def getaddrinfo(host, *more, **named):
    if host == "rebound.test":
        with open({log!r}, "a") as log:
            host = "127.0.0.9" if log.tell() else "127.0.0.1"
            log.write("x")
    return answered(host, *more, **named)

socket.getaddrinfo = getaddrinfo
"""
"""A resolver for all Python processes whose answer for one name changes once it was asked for."""


class NamesTests(TwistdCase):
    def listen(self, address: bytes) -> None:
        """An echo on a Unix socket."""

        def echo(connection: socket.socket) -> None:
            with connection:
                while data := connection.recv(1 << 16):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener was closed: the end
                while True:
                    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.bind(address)
        listener.listen(100)
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        self.addCleanup(thread.join, PATIENCE)
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)

    def test_a_path_of_any_bytes(self) -> None:
        """E3: it is reached, and shown with escapes: in the table, in JSON and on the page."""
        folder = self.folder()
        path = os.fsencode(folder) + b"/a:b %s\n\xff<i>"
        self.listen(path)
        target = b"unix:" + path
        words = ("-n", "20", "-c", "2", "--warmup", "0", "--json", "json", "--html", "html")
        ended = self.run_to_end(script("echoproto"), "load", os.fsdecode(target), *words, cwd=folder)
        self.assertEqual(ended.returncode, 0, ended)
        self.assertTrue(ended.stdout.startswith(f"good: unix:{folder}/a:b %s\\n\\xff<i>, 20 echoes"), ended.stdout)
        with open(os.path.join(folder, "json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["target"], f"unix:{folder}/a:b %s\n\\xff<i>")
        with open(os.path.join(folder, "html"), encoding="utf-8") as file:
            self.assertIn("\\xff&lt;i&gt;", file.read())

    def test_an_abstract_name(self) -> None:
        """Of Linux; our service has it, too."""
        if not sys.platform.startswith("linux"):
            self.skipTest("only Linux has abstract names")
        name = f"@echo {os.getpid()}: ü"
        self.listen(b"\0" + name[1:].encode())
        words = ("-n", "20", "-c", "2", "--warmup", "0", "--quiet")
        ended = self.run_to_end(script("echoproto"), "load", f"unix:{name}", *words)
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, "", ""))

    def test_a_name_that_is_bound_anew(self) -> None:
        """L5: the guard against floods lets a name of this machine pass; what it stands for later counts no more."""
        server = self.serve("--interface", "127.0.0.1", "--udp", "0", "--log-connections", "off")
        udp_port = server.wait_for(r"Listening for UDP, .* port (\d+)$")[1]
        for target, port in (("tcp", server.port), ("udp", udp_port)):
            folder = self.folder()
            log = os.path.join(folder, "log")
            with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="utf-8") as file:
                file.write(REBINDING.format(log=log))
            words = (f"{target}:rebound.test:{port}", "-n", "20", "-c", "4", "--processes", "2", "--warmup", "0", "-q")
            ended = self.run_to_end(script("echoproto"), "load", *words, env={**os.environ, "PYTHONPATH": folder})
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertEqual(os.path.getsize(log), 1, "looked up once")

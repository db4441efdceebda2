"""Unix sockets and their files, between real processes."""

import ctypes
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

from tests.integration.twistd import LISTENING, REACTOR, FailingCase, Server, TwistdCase, script, tool
from tests.support.clients import PATIENCE, exchange

IN_ATTRIB, IN_CREATE = 0x4, 0x100
"""Of sys/inotify.h."""

CONTESTANT = """
import os, socket, sys, time
from echoproto.errors import UnavailableError
from echoproto.server.sockets.socketfile import SocketFile
for moment in iter(sys.stdin.readline, ""):
    with socket.socket(socket.AF_UNIX) as skt:
        while time.monotonic() < float(moment):
            pass
        try:
            SocketFile(os.fsencode(sys.argv[1])).listen(skt, 5, 0o660)
        except UnavailableError:
            print("refused", flush=True)
        else:
            print("listens", flush=True)
        sys.stdin.readline()
"""
"""Starts at the moment that it reads, and is gone at the next line, as if it were killed: its file stays."""


class Inotify:
    """What the kernel reports of the entries of a folder; nothing happens unseen, however short it is."""

    def __init__(self, case: TwistdCase, folder: str) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK)
        case.addCleanup(os.close, self._fd)
        if self._libc.inotify_add_watch(self._fd, os.fsencode(folder), IN_ATTRIB | IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def read(self) -> list[tuple[int, str]]:
        """What has happened until now: what it was, and to which entry."""
        data = os.read(self._fd, 1 << 16)
        found = []
        while data:
            _, mask, _, size = struct.unpack_from("iIII", data)
            found.append((mask, data[16 : 16 + size].rstrip(b"\0").decode()))
            data = data[16 + size :]
        return found


class UnixCase(FailingCase):
    def setUp(self) -> None:
        self.where = self.folder()
        os.chmod(self.where, 0o755)
        self.path = f"{self.where}/s"
        self.listen = ("--listen", f"unix:{self.path}")

    def echo(self) -> None:
        """See that it serves; from then on it takes signals, too."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(self.path)
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")

    def refuse(self, *words: str) -> str:
        """A start that has to fail, and to leave what is on the path as it is."""
        before = os.lstat(self.path)
        line = self.complaint(*self.listen, "--reactor", REACTOR, *words, status=1)
        after = os.lstat(self.path)
        self.assertEqual((after.st_ino, after.st_mode), (before.st_ino, before.st_mode))
        self.assertEqual(os.listdir(self.where), ["s"])
        return line


class StartTests(UnixCase):
    def test_after_sigkill(self) -> None:
        """X1."""
        server = self.serve(*self.listen)
        self.assertEqual(server.stop(signal.SIGKILL), -signal.SIGKILL)
        self.assertTrue(stat.S_ISSOCK(os.lstat(self.path).st_mode))
        server = self.serve(*self.listen)
        self.assertTrue(any("which a server had left that is gone" in line for line in server.lines), server.lines)
        self.echo()
        self.assertEqual(server.stop(), 0)
        self.assertEqual(os.listdir(self.where), [])

    def test_live_server(self) -> None:
        """X2, O5: it goes on, whether a second one is to start, or only to check."""
        self.serve(*self.listen)
        expected = f"echo: can't listen on unix:{self.path}: another server listens there; stop that one"
        self.assertIn(expected, self.refuse())
        self.assertIn(expected, self.refuse("--check"))
        self.echo()

    def test_live_server_that_is_stopped(self) -> None:
        """X2: by SIGSTOP it answers nobody, and lives."""
        server = self.serve(*self.listen)
        server.process.send_signal(signal.SIGSTOP)
        try:
            self.assertIn("another server listens there", self.refuse())
        finally:
            server.process.send_signal(signal.SIGCONT)
        self.echo()

    def test_what_is_no_socket(self) -> None:
        """X3."""
        for make, kind in (
            (lambda: os.close(os.open(self.path, os.O_CREAT)), "a regular file"),
            (lambda: os.symlink("/nonexistent", self.path), "a symbolic link"),
            (lambda: os.mkdir(self.path), "a directory"),
        ):
            make()
            self.assertIn(f"{kind} is there, which is left alone", self.refuse())
            (os.rmdir if kind == "a directory" else os.unlink)(self.path)

    def test_path_that_is_too_long(self) -> None:
        """X5."""
        line = self.complaint("--listen", f"unix:/{'x' * 200}", status=2)
        self.assertRegex(line, r"its path is 201 bytes long, and the limit of this system is 10[37]")

    def test_stale_file_under_check(self) -> None:
        """O5: no obstacle, and left as it is."""
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(self.path)
        inode = os.lstat(self.path).st_ino
        ended = self.run_to_end(script("twistd"), "-n", "echo", *self.listen, "--reactor", REACTOR, "--check")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertEqual((os.listdir(self.where), os.lstat(self.path).st_ino), (["s"], inode))


class TogetherTests(UnixCase):
    """X1, X2: of two that start at once, one listens, and the other one leaves it alone."""

    def assert_one(self, answers: list[str]) -> None:
        self.assertEqual(sorted(answers), ["listens", "refused"])

    def test_many_times(self) -> None:
        both = [
            self.enterContext(
                subprocess.Popen(
                    [sys.executable, "-c", CONTESTANT, self.path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(2)
        ]

        def tell(moment: str) -> None:
            for one in both:
                assert one.stdin is not None
                one.stdin.write(f"{moment}\n")
                one.stdin.flush()

        def answers() -> list[str]:
            return [one.stdout.readline().strip() for one in both if one.stdout is not None]

        for _ in range(300):
            tell(str(time.monotonic() + 0.001))
            self.assert_one(answers())
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.path)
            self.assertEqual(os.listdir(self.where), ["s"])
            tell("over")

    def test_twistd(self) -> None:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(self.path)
        both = [
            Server(
                *(script("twistd"), "-n", "echo", *self.listen, "--reactor", REACTOR),
                cwd=self.folder(),
            )
            for _ in range(2)
        ]
        for server in both:
            self.addCleanup(self._end, server)
        said = [server.wait_for(f"{LISTENING}|another server listens there")[0] for server in both]
        answers = ["listens" if "Listening" in line else "refused" for line in said]
        self.assert_one(answers)
        self.echo()
        self.assertEqual(both[answers.index("refused")].end(), 1)
        both[answers.index("listens")].stop(signal.SIGKILL)


class ModeTests(UnixCase):
    def mode(self) -> int:
        return stat.S_IMODE(os.lstat(self.path).st_mode)

    def test_from_the_first_instant(self) -> None:
        """X4: between its creation and the first connection, nothing about the file is changed."""
        if not sys.platform.startswith("linux"):
            self.skipTest("inotify is Linux's")
        seen = Inotify(self, self.where)
        self.serve(*self.listen)
        self.assertEqual(seen.read(), [(IN_CREATE, "s")])
        self.assertEqual(self.mode(), 0o660)

    def test_whatever_the_umask(self) -> None:
        """X4."""
        self.serve(*self.listen, "--unix-mode", "666", twistd=("-n", "--umask", "077"))
        self.assertEqual(self.mode(), 0o666)

    def test_one_that_the_string_gives(self) -> None:
        """X4."""
        self.serve("--listen", f"unix:{self.path}:mode=600", "--unix-mode", "666")
        self.assertEqual(self.mode(), 0o600)

    def test_owner(self) -> None:
        """X4: who is named gets in, and nobody else."""
        if os.geteuid() != 0:
            self.skipTest("only root can give a file away")
        setpriv, socat = tool(self, "setpriv"), tool(self, "socat")
        server = self.serve(*self.listen, "--unix-owner", "65534:65533", "--unix-mode", "600")
        found = os.lstat(self.path)
        self.assertEqual((found.st_uid, found.st_gid, self.mode()), (65534, 65533, 0o600))
        self.echo()
        for user, expected in ((65534, ""), (65533, "Permission denied")):
            words = (f"--reuid={user}", f"--regid={user}", "--clear-groups", socat, "-u", "/dev/null")
            ended = self.run_to_end(setpriv, *words, f"UNIX-CONNECT:{self.path}", cwd="/")
            self.assertIn(expected, ended.stderr)
            self.assertEqual(ended.returncode == 0, not expected, ended.stderr)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(os.listdir(self.where), [])

"""The options of ``twistd`` itself, its folder and user, and reactors that are missing."""

import grp
import os
import shlex
import subprocess
import sys

import echoproto
from tests.integration.test_privileges import CHANGE_MODE, closed
from tests.integration.twistd import FailingCase, Server, script, tool
from tests.support.clients import exchange

USER = ("--reuid=65534", "--regid=65534", "--clear-groups")
"""A user without rights or a home."""


class OtherUserTests(FailingCase):
    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("setpriv and unshare are Linux's")
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        python = (sys.executable, os.path.realpath(sys.executable), f"{sys.base_prefix}/lib")
        changed = CHANGE_MODE.format(
            folders=shlex.join(closed(*python, echoproto.__file__, self.folder())), mode="755", more=""
        )
        self.prefix = (tool(self, "unshare"), "--mount", "sh", "-c", changed, self.folder())
        self.as_user = (tool(self, "setpriv"), *USER)

    def twistd(self, folder: str, *words: str) -> Server:
        server = Server(*self.prefix, *self.as_user, script("twistd"), *words, "echo", "--port", "0", cwd=folder)
        self.addCleanup(server.stop)
        return server

    def test_in_any_folder(self) -> None:
        """It serves without a pid file, and says so, where it may not write; nor even enter the folder."""
        for mode in (0o755, 0o700):
            folder = self.folder()
            os.chmod(folder, mode)
            server = self.twistd(folder, "-n")
            server.wait_for(r"No twistd\.pid: it can't be written here \(Permission denied\)")
            server.listening()
            with server.connect() as client:
                self.assertEqual(exchange(client, b"x"), b"Hello\nx")
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("Traceback", "\n".join(server.lines))
            self.assertEqual(os.listdir(folder), [])

    def test_what_was_asked_for(self) -> None:
        """O1: a daemon, a pid file that was named, and another user are not done without."""
        folder = self.folder()
        os.chmod(folder, 0o755)
        for words, expected in (
            ([], "echo: --pidfile twistd.pid: Permission denied; name a file in a folder that this user may write to"),
            (["-n", "--pidfile=p"], "echo: --pidfile p: Permission denied; "),
            (["-n", "--uid", "0"], "echo: --uid 0: Operation not permitted; only root may become another user"),
            (["--pidfile=", "--gid", "0"], "echo: --gid 0: Operation not permitted; "),
            (["-n", "--chroot", "/"], "echo: --chroot /: Operation not permitted; "),
        ):
            server = self.twistd(folder, *words)
            self.assertEqual(server.end(), 1)
            [line] = [line for line in server.lines if "[echoproto#" not in line]
            self.assertTrue(line.startswith(expected), line)
        self.assertEqual(os.listdir(folder), [])


class FaultTests(FailingCase):
    def test_wrong_values(self) -> None:
        """O4: in the foreground and of a daemon."""
        for words, expected in (
            (["-n", "--pidfile", "missing/pid"], "--pidfile missing/pid: No such file or directory; name a file"),
            (["--pidfile", "/"], "--pidfile /: Is a directory; name a file"),
            (["-n", "--rundir", "missing"], "--rundir missing: No such file or directory; name a folder"),
            (["--rundir", "/dev/null"], "--rundir /dev/null: Not a directory; name a folder"),
            (["-n", "--umask", "7777"], "--umask: must be up to three octal digits"),
        ):
            self.assertIn(f"echo: {expected}", self.complaint("--port", "0", status=2, twistd=tuple(words)))

    def test_file_without_a_process_id(self) -> None:
        folder = self.folder()
        with open(f"{folder}/pid", "w", encoding="ascii") as file:
            file.write("garbage")
        line = self.complaint("--port", "0", status=1, twistd=("--pidfile", f"{folder}/pid"))
        self.assertEqual(
            line, f"echo: {folder}/pid: holds no process ID; remove it, or name another file, or none (--pidfile=)"
        )

    def test_removed_folder(self) -> None:
        """There is nothing to write a pid file into."""
        command = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
        words = ("sh", "-c", command, "sh", script("twistd"), "-n")
        server = Server(*words, "echo", "--port", "0", cwd=self.folder())
        self.addCleanup(self._end, server)
        server.wait_for(r"No twistd\.pid: it can't be written here \(No such file or directory\)")
        server.listening()
        for options, status, expected in (
            (["echo", "--config", "echo.toml"], 2, "echo.toml: can't be read"),
            (["--logfile", "log", "echo", "--port", "0"], 1, "can't write the log to log"),
            (["echo", "--listen", "ssl:0:privateKey=pem"], 2, "--listen: 'ssl:0:privateKey=pem': pem"),
            (["echo", "--listen", "ssl:0:dhParameters=dh"], 2, "--listen: 'ssl:0:dhParameters=dh': dh"),
        ):
            ended = self.run_to_end(*words, *options)
            line = f"echo: {expected}: No such file or directory\n"
            self.assertEqual((ended.returncode, ended.stderr), (status, line))


class KilledTests(FailingCase):
    def test_daemon_that_is_killed_before_it_serves(self) -> None:
        """O1: the command that starts it does not wait for ever."""
        folder = self.folder()
        with open(f"{folder}/sitecustomize.py", "w", encoding="ascii") as file:
            file.write("import os, signal\nos.setsid = lambda: os.kill(os.getpid(), signal.SIGKILL)\n")
        words = (script("twistd"), "--pidfile=", "echo", "--port", "0")
        ended = self.run_to_end(*words, env={**os.environ, "PYTHONPATH": folder})
        line = "echo: the daemon has ended before it served; its log may say why\n"
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (1, "", line))


class PidFileTests(FailingCase):
    def served(self, *words: str, content: object) -> Server:
        """Have it served in a folder in which a pid file is left from before."""
        folder = self.folder()
        with open(f"{folder}/twistd.pid", "w", encoding="ascii") as file:
            file.write(str(content))
        server = Server(*words, script("twistd"), "-n", "echo", "--port", "0", cwd=folder)
        self.addCleanup(self._end, server)
        return server

    def test_of_another_program(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("what a process runs is told by Linux's /proc")
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
            server = self.served(content=other.pid)
            server.wait_for(rf"Removed .*/twistd\.pid, left by process {other.pid}: that is cat")
            server.listening()
            with open(f"{server.cwd}/twistd.pid", encoding="ascii") as file:
                self.assertEqual(int(file.read()), server.pid)
            line = self.run_to_end(script("twistd"), "echo", "--port", "0", cwd=server.cwd).stderr
            self.assertTrue(line.startswith(f"echo: twistd.pid: process {server.pid} runs; stop it, or "), line)

    def test_of_a_successor(self) -> None:
        """It was started in the same folder when the file of the first was gone; it keeps its own."""
        folder = self.folder()
        servers = []
        for _ in range(2):
            servers.append(server := Server(script("twistd"), "-n", "echo", "--port", "0", cwd=folder))
            self.addCleanup(self._end, server)
            server.listening()
            written = os.path.join(folder, "twistd.pid")
            with open(written, encoding="ascii") as file:
                self.assertEqual(int(file.read()), server.pid)
            if len(servers) == 1:
                os.unlink(written)
        first, second = servers
        self.assertEqual(first.stop(), 0)
        self.assertIn("alone: it is not of this process", "\n".join(first.lines))
        self.assertTrue(os.path.exists(written))
        os.unlink(written)
        self.assertEqual(second.stop(), 0)

    def test_of_a_container_that_was_started_again(self) -> None:
        """Its first process has the number 1 each time."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            self.skipTest("only Linux has namespaces of processes, and only root may make one")
        namespace = (tool(self, "unshare"), "--pid", "--fork", "--mount-proc", "--kill-child")
        server = self.served(*namespace, content=1)
        server.wait_for(r"Removed .*/twistd\.pid, left by process 1: that is this process itself")
        server.wait_for("Listening, ")
        server.process.kill()
        server.end()


class ChrootTests(FailingCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root may change its root folder")

    def test_serves(self) -> None:
        """With what the service needs there, which is no Python."""
        folder = self.folder()
        os.mkdir(f"{folder}/dev")
        os.mknod(f"{folder}/dev/null", 0o20666, os.stat(os.devnull).st_rdev)
        group = grp.getgrgid(os.getgid()).gr_name
        words = (script("twistd"), "-n", "--chroot", folder, "--gid", group)
        server = Server(*words, "echo", "--port", "0", cwd=self.folder())
        self.addCleanup(self._end, server)
        server.wait_for("No twistd.pid: it can't be written here")
        server.listening()
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")

    def test_without_what_the_service_needs(self) -> None:
        """O4: a daemon, which Twisted would wait for without end."""
        folder = self.folder()
        line = self.complaint("--port", "0", status=2, twistd=("--chroot", folder))
        self.assertIn(f"--chroot {folder}: holds no /dev/null, which the service needs; make it with: ", line)
        words = ("-n", "--chroot", folder, "--uid", "1", "--pidfile=")
        os.mkdir(f"{folder}/dev")
        os.mknod(f"{folder}/dev/null", 0o20666, os.stat(os.devnull).st_rdev)
        self.assertIn(
            "--uid 1: the etc/passwd of --chroot has no such user", self.complaint("-p", "0", status=2, twistd=words)
        )


class ReactorTests(FailingCase):
    def test_reactors_without_uvloop(self) -> None:
        """The hint holds brackets, which are no markup."""
        code = "import sys; sys.modules['uvloop'] = None; from echoproto.cli.group import main; main(['reactors'])"
        ended = self.run_to_end(sys.executable, "-c", code)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        hint = "uvloop is not installed: pip install 'echoproto[uvloop]' (this needs the extra 'uvloop')"
        self.assertIn(f" no: {hint}", ended.stdout)

    def test_reactor_that_belongs_elsewhere(self) -> None:
        """O14: for twistd's own option, that is in Twisted's words."""
        if not sys.platform.startswith("linux"):
            self.skipTest("kqueue is here")
        for reactor in ("kqueue", "lean-kqueue"):
            ended = self.run_to_end(script("twistd"), "-n", "echo", "--reactor", reactor)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(
                f"the reactor '{reactor}' is not available here (linux): only on BSD and macOS;", ended.stderr
            )
        ended = self.run_to_end(script("twistd"), "-n", "--reactor", "lean-kqueue", "echo")
        self.assertIn("only on BSD and macOS", ended.stdout)

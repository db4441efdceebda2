"""Workers as another user: root starts the service, which gives up its rights before there is any worker."""

import contextlib
import grp
import os
import pwd
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import echoproto
from echoproto.server.workers.handover import kernel_balances
from tests.integration.twistd import PATIENCE, REACTOR, script, tool
from tests.integration.workers import WorkersCase
from tests.support.certificates import issue
from tests.support.clients import exchange, name_served

CHANGE_MODE = """
set -e
for folder in {folders}; do
    mount -t tmpfs -o mode={mode} none "$0"
    for each in "$folder"/* "$folder"/.[!.]*; do
        copy="$0/${{each##*/}}"
        if [ -L "$each" ]; then
            cp -P "$each" "$copy"
        elif [ -e "$each" ]; then
            if [ -d "$each" ]; then mkdir "$copy"; else touch "$copy"; fi
            mount --rbind "$each" "$copy"
        fi
    done
    mount --move "$0" "$folder"
done
{more}
exec "$@"
"""
"""Runs a command that sees the same files, but in folders of another mode; it takes an empty folder to do so."""

ONLY_RUN = """
cp {path} "$0/copy"
chmod 711 "$0/copy"
mount --bind "$0/copy" {path}
"""
"""More of that: it sees a program that others than root may run, and not read."""


def closed(*paths: str) -> list[str]:
    """Which folders on the way to paths only their owners may pass through, the outermost first."""
    folders = {folder for path in paths for folder in Path(path).parents}
    return [str(folder) for folder in sorted(folders) if not folder.stat().st_mode & 0o001]


class PrivilegesTests(WorkersCase):
    """
    :ivar home: a folder that belongs to the user.
    """

    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            self.skipTest("what rights a process has is told by Linux's /proc")
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        self.user = pwd.getpwnam("nobody")
        self.home = self.folder()
        os.chown(self.home, self.user.pw_uid, self.user.pw_gid)

    def privileged_port(self) -> int:
        """A free port that only root may listen on; other runs of this test look from elsewhere on."""
        for number in range(600 + os.getpid() % 200, 1024):
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                if not any(self._taken(each, number) for each in (tcp, udp)):
                    return number
        raise AssertionError("no port is free")

    def _taken(self, skt: socket.socket, number: int) -> bool:
        try:
            skt.bind(("127.0.0.1", number))
        except OSError:
            return True
        return False

    def run_as_user(
        self, *words: str, folders: list[str], mode: int, more: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Start a daemon as the user, to whom some folders have another mode, and maybe more is otherwise."""
        self.addCleanup(self.end_daemon)
        changed = CHANGE_MODE.format(folders=shlex.join(folders), mode=f"{mode:o}", more=more)
        prefix = (tool(self, "unshare"), "--mount", "sh", "-c", changed, self.folder())
        as_user = ("--uid", self.user.pw_name, "--gid", grp.getgrgid(self.user.pw_gid).gr_name)
        files = ("--pidfile", f"{self.home}/pid", "--logfile", f"{self.home}/log")
        return self.run_to_end(*prefix, script("twistd"), *as_user, *files, "echo", "--reactor", REACTOR, *words)

    def end_daemon(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # it has ended, or was never there
            os.kill(int(Path(self.home, "pid").read_text(encoding="ascii")), signal.SIGTERM)

    def start(self, *words: str, more: str = "") -> int:
        """Start a daemon as the user, who may read all that it takes; its process ID."""
        python = (sys.executable, os.path.realpath(sys.executable), f"{sys.base_prefix}/lib")
        ended = self.run_as_user(*words, folders=closed(*python, echoproto.__file__, self.home), mode=0o755, more=more)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return int(Path(self.home, "pid").read_text(encoding="ascii"))

    def assert_without_rights(self, pid: int) -> None:
        """It runs as the user, in no other group, and has no capability."""
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        fields = dict(re.findall(r"^(Uid|Gid|Groups|CapEff|CapPrm):\s*(.*?)\s*$", status, re.MULTILINE))
        self.assertEqual({*fields.pop("Uid").split()}, {str(self.user.pw_uid)})
        groups = {*fields.pop("Gid").split(), *fields.pop("Groups").split()}
        self.assertEqual(groups, {str(self.user.pw_gid)})
        self.assertEqual({int(mask, 16) for mask in fields.values()}, {0})

    def serves(self, port: int) -> None:
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                self.assertEqual(exchange(client, b"x"), b"x")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{self.home}/s")
            self.assertEqual(exchange(client, b"x"), b"x")
        for _ in range(10):
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE)
                client.sendto(b"x", ("127.0.0.1", port))
                self.assertEqual(client.recv(100), b"x")

    def test_workers(self) -> None:
        """O11: also the one that replaces another has no rights, and serves a privileged port."""
        port = self.privileged_port()
        places = ("--port", str(port), "--interface", "127.0.0.1", "--udp", str(port))
        log, served = f"{self.home}/log", r"Worker \d serves, process (\d+)"
        daemon = self.start(*places, "--listen", f"unix:{self.home}/s", "--workers", "2", "--greeting", "")
        pids = self.logged(log, served, 2)
        self.serves(port)
        os.kill(int(pids[0]), signal.SIGKILL)
        *pids, successor = self.logged(log, served, 3)
        for pid in (daemon, int(pids[1]), int(successor)):
            self.assert_without_rights(pid)
        self.serves(port)
        [number] = self.logged(log, r"Worker (\d) has ended: killed by SIGKILL")
        if kernel_balances():
            self.logged(log, rf"process {successor}\n(?s:.*) worker {number}\] New connection, .* port [1-9]")
        os.rename(log, f"{log}.1")
        os.kill(daemon, signal.SIGHUP)
        self.logged(log, "Received SIGHUP, reloaded")
        os.kill(daemon, signal.SIGTERM)
        for pid in (daemon, *map(int, (*pids, successor))):
            self.wait_until_gone(pid)
        self.logged(log, "Server Shut Down")
        self.assertEqual(set(os.listdir(self.home)), {"log", "log.1"})

    def test_certificates_that_only_root_may_read(self) -> None:
        """S11: a worker that replaces another has those that root has read; it need not be able to."""
        pem = Path(self.folder(), "pem")
        pem.touch(0o600)
        pem.write_bytes(issue("old").both)
        log, served = f"{self.home}/log", r"Worker \d serves, process (\d+)"
        daemon = self.start("--listen", f"ssl:0:privateKey={pem}", "--workers", "2")
        pids = self.logged(log, served, 2)
        [port] = self.logged(log, r"address 0\.0\.0\.0, port (\d+)")
        pem.write_bytes(issue("new").both)
        os.kill(daemon, signal.SIGHUP)
        self.logged(
            log, r"Reload failed: \S+/pem: (?:Permission denied|No such file).*; keeping the previous certificates"
        )
        os.kill(int(pids[0]), signal.SIGKILL)
        *pids, successor = self.logged(log, served, 3)
        for _ in range(6):
            self.assertEqual(name_served(int(port)), "old")
        self.end_daemon()
        for pid in (daemon, *map(int, (*pids, successor))):
            self.wait_until_gone(pid)

    def test_python_that_the_user_may_only_run(self) -> None:
        """O11: that is all it takes."""
        python = os.path.realpath(sys.executable)
        more = ONLY_RUN.format(path=shlex.quote(python))
        daemon = self.start("--port", "0", "--interface", "127.0.0.1", "--workers", "2", more=more)
        self.assertEqual(os.stat(f"/proc/{daemon}/root{python}").st_mode & 0o777, 0o711)
        pids = self.logged(f"{self.home}/log", r"Worker \d serves, process (\d+)", 2)
        self.end_daemon()
        for pid in (daemon, *map(int, pids)):
            self.wait_until_gone(pid)

    def test_python_that_the_user_may_not_reach(self) -> None:
        """O1: exit status 1, and nothing is left."""
        places = ("--port", "0", "--listen", f"unix:{self.home}/s", "--workers", "2")
        ended = self.run_as_user(*places, folders=[sys.prefix], mode=0o700)
        self.assertEqual(ended.returncode, 1, ended)
        self.assertIn("workers can't be started: user", ended.stderr)
        self.logged(f"{self.home}/log", rf"user {self.user.pw_uid} may not run {re.escape(sys.prefix)}/bin/python")
        self.assertEqual(os.listdir(self.home), ["log"])

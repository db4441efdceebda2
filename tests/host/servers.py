"""Servers that are hard to end: each of their processes leaves a file, named by its id, in a folder."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import suppress

import psutil

PATIENCE = 120.0
"""Seconds after which a process that should have begun, or ended, is given up."""

BEGIN = """
import os, signal, socket, sys, time
def begun():
    open(os.path.join(sys.argv[2], str(os.getpid())), "w").close()
def serve():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=50)
    begun()
    while True:
        client, _ = listener.accept()
        if not os.fork():
            while data := client.recv(1 << 16):
                client.sendall(data)
            os._exit(0)
        client.close()
def linger():
    begun()
    time.sleep(600)
"""

HONEST = f"{BEGIN}\nserve()"
"""Ends when it is told to."""

STUBBORN = f"{BEGIN}\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve()"
"""Ignores SIGTERM."""

FORKING = f"""{BEGIN}
if not os.fork():  # in the same process group
    linger()
if not os.fork():  # in another one, with a child whose parent is gone; both ignore SIGTERM
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if not os.fork() and not os.fork():
        os.setsid()
        linger()
    linger()
serve()
"""
"""Server with children; some have left its process group, and lost their parent."""

DAEMON = f"""{BEGIN}
if os.fork():  # it ends when the daemon serves, as that of twistd
    while not any(name.isdecimal() for name in os.listdir(sys.argv[2])):
        time.sleep(0.01)
    sys.exit()
os.setsid()
if os.fork():
    sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
serve()
"""
"""Has left its process group, session, and parent; what has started it ends."""

FAILING = f"""{BEGIN}
if not os.fork():  # a daemon, which ignores SIGTERM
    os.setsid()
    if not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        linger()
    os._exit(0)
while not any(name.isdecimal() for name in os.listdir(sys.argv[2])):
    time.sleep(0.01)
"""
"""Has started a daemon of its own when it fails, or does not listen."""

ALL = {HONEST: 1, STUBBORN: 1, FORKING: 5, DAEMON: 1}
"""Number of each server's processes that leave a file."""


def words(script: str, port: int | str, folder: str) -> list[str]:
    """The command line of such a server."""
    return [sys.executable, "-c", script, str(port), folder]


def command(script: str, folder: str) -> str:
    """The same as one types it, with ``{port}`` in it."""
    name = os.path.join(folder, "server.py")
    with open(name, "w", encoding="utf-8") as file:
        file.write(script)
    return shlex.join([sys.executable, name, "{port}", folder])


def wait_for(folder: str, count: int) -> list[int]:
    """Wait until so many processes have left a file, and give their ids."""
    deadline = time.monotonic() + PATIENCE
    while len(names := [int(name) for name in os.listdir(folder) if name.isdecimal()]) < count:
        if time.monotonic() > deadline:
            raise AssertionError(f"only {len(names)} of {count} processes have begun")
        time.sleep(0.01)
    return names


def begun(folder: str, count: int) -> list[psutil.Process]:
    """Wait until so many processes have begun, and give them."""
    return [psutil.Process(pid) for pid in wait_for(folder, count)]


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def left(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait until processes have ended; give, and kill, those that do not."""
    deadline = time.monotonic() + PATIENCE
    while (found := running(processes)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in found:
        process.kill()
    return found

"""Each console block of the guide is run as it stands there, and shows what it says."""

import os
import sys
import sysconfig
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.twistd import tool
from tests.support.consoleblocks import Block, Command, missing, parse
from tests.support.namespace import Namespace
from tests.support.shell import SERVER, Running, Shell

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FAILS = ("echo: ", "Error: ")
"""Beginnings of lines with which a command tells that it has failed; if one is shown, it has to."""


CLIENT_LIMIT = 4
"""Exit status of the load generator that a busy machine keeps from sending in time."""

PROGRAMS = {"lsof", "ncat", "openssl", "socat", "telnet"}
"""Programs of the system that may be typed."""


def documents() -> list[str]:
    """The documents with console blocks, of the checkout; none where there is no guide."""
    if not os.path.isdir(os.path.join(ROOT, "docs")):
        return []
    guide = sorted(f"docs/{name}" for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md"))
    return ["README.md", "CONTRIBUTING.md", *guide]


class ConsoleBlocksTests(SynchronousTestCase):
    """A test for each document is added below."""

    def setUp(self) -> None:
        tool(self, "bash")
        self.namespace = Namespace(self)  # ports are those of the guide, and free
        path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
        before = {name: os.environ.get(name) for name in ("PATH", "LC_ALL", "TERM")}
        os.environ.update(PATH=path, LC_ALL="C.UTF-8", TERM="dumb")
        self.addCleanup(self._restore, before)

    def _restore(self, before: dict[str, str | None]) -> None:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value

    def check(self, document: str) -> None:
        with open(os.path.join(ROOT, document), encoding="utf-8") as file:
            blocks = parse(file.read())
        for block in blocks:
            if not block.not_run:
                self.check_block(block, f"{document}:{block.line}")

    def check_block(self, block: Block, where: str) -> None:
        with tempfile.TemporaryDirectory(prefix="guide-") as folder:
            for name, text in block.files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            for name in block.links:
                os.symlink(sys.prefix if name == ".venv" else os.path.join(ROOT, name), os.path.join(folder, name))
            with self.namespace:
                shell = Shell(folder)
            with shell:
                for beside in block.before:
                    self.assert_up(shell.start(beside), f"{where}: {beside}")
                for command in block.commands:
                    self.check_command(shell, block, command, f"{where}: {command.text}")

    def check_command(self, shell: Shell, block: Block, command: Command, where: str) -> None:
        text = block.shorten(command.text)
        for program in PROGRAMS.intersection(text.split()):
            tool(self, program)
        if block.typed:
            running = shell.start(text, terminal=True)
            for line in block.typed:
                before = command.shown[: command.shown.index(line)]
                running.wait_for(before)
                running.type(line)
        elif SERVER.match(text) or text.endswith(" &"):
            running = shell.start(text.removesuffix("&"))
            for beside in [shell.start(each) for each in block.meanwhile]:
                self.assert_up(beside, f"{where}: beside")
                beside.end()
        else:
            running = shell.run(text)
        running.wait_for(command.shown)
        self.assertEqual(missing(command.shown, running.output), [], f"{where}: not in this output:\n{running.output}")
        if text.endswith(" &"):
            self.assert_up(running, where)
            return
        status = running.end()
        if not block.typed:  # a client is ended in the middle
            fails = any(line.startswith(FAILS) for line in command.shown)
            if text.startswith("echoproto load ") and status == CLIENT_LIMIT:
                return  # the machine is busy
            self.assertEqual(status != 0, fails, f"{where}: status {status}, output:\n{running.output}")

    def assert_up(self, running: Running, where: str) -> None:
        self.assertIn(running.status, (None, 0), f"{where}: has ended:\n{running.output}")


def _add(document: str) -> None:
    def test(self: ConsoleBlocksTests) -> None:
        self.check(document)

    name = f"test_{os.path.splitext(os.path.basename(document))[0].lower()}"
    setattr(ConsoleBlocksTests, name, test)


for each in documents():
    _add(each)

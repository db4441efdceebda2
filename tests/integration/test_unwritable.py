"""Output that can't be written or encoded: of the installed commands, in processes whose streams are real."""

import contextlib
import os
import subprocess
import sys
import time

from tests.integration.twistd import PATIENCE, TwistdCase, script
from tests.test_console import UNWRITABLE

ECHO = (script("twistd"), "-n", "echo", "--port", "0")
ASCII = {**os.environ, "PYTHONIOENCODING": "ascii"}


class UnwritableTests(TwistdCase):
    def redirected(self, *words: str, streams: str) -> subprocess.CompletedProcess[str]:
        """Run a command with its streams redirected as a shell does."""
        return self.run_to_end("sh", "-c", f'exec "$0" "$@" {streams}', *words)

    def assert_complains(self, prefix: str, *words: str) -> None:
        """It says so in one line, with exit status 2; or with the status alone."""
        streams, reason = list(UNWRITABLE.items())[-1]
        ended = self.redirected(*words, streams=streams)
        expected = (2, "", f"{prefix}: can't write to standard output: {reason}\n")
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), expected, words)

    def test_options_of_the_service(self) -> None:
        for option in ("--check", "--help", "--version"):
            self.assert_complains("echo", *ECHO, option)

    def test_neither_output_nor_errors(self) -> None:
        for streams in UNWRITABLE:
            ended = self.redirected(*ECHO, "--check", streams=f"{streams} 2{streams}")
            self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (2, "", ""))

    def test_check_under_twist(self) -> None:
        self.assert_complains("echo", script("twist"), "echo", "--port", "0", "--check")

    def test_commands(self) -> None:
        for words in (["--help"], ["reactors"], ["load", "--help"], ["load", "--json-schema"]):
            self.assert_complains("Error", script("echoproto"), *words)

    def test_python_m(self) -> None:
        self.assert_complains("Error", sys.executable, "-m", "echoproto", "--version")


class UnencodableTests(TwistdCase):
    def test_greeting(self) -> None:
        """As its escape, also if it is not even UTF-8."""
        for greeting, shown in (("h\xe9", r"'h\xe9'"), ("h\udcff", r"'h\udcff'")):
            ended = self.run_to_end(*ECHO, "--check", "--greeting", greeting, env=ASCII)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertIn(f" {shown} ", ended.stdout)

    def test_complaint(self) -> None:
        ended = self.run_to_end(*ECHO, "--pr\xe9t", "1", env=ASCII)
        self.assertEqual(ended.returncode, 2)
        self.assertIn(r"echo: option --pr\xe9t not recognized", ended.stderr)

    def test_command(self) -> None:
        ended = self.run_to_end(script("echoproto"), "reactors", env=ASCII)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))


class NoOutputTests(TwistdCase):
    def test_twist(self) -> None:
        """E8: started without standard output, it serves without a log."""
        folder = self.folder()
        command = f"exec {script('twist')} echo --listen unix:{folder}/s >&-"
        with subprocess.Popen(["sh", "-c", command], cwd=folder, stderr=subprocess.PIPE, text=True) as process:
            try:
                deadline = time.monotonic() + PATIENCE
                while not os.path.exists(f"{folder}/s"):
                    self.assertLess(time.monotonic(), deadline)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.fail(f"it ended with status {process.wait(0.02)}")
            finally:
                process.terminate()
            _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, errors), (0, ""))

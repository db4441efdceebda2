"""The installed ``echoproto load`` against the installed ``twistd``, and against servers that harm what they echo."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import psutil

from tests.integration.twistd import PATIENCE, Child, Server, TwistdCase, script
from tests.load.report.test_document import validator
from tests.load.test_processes import is_running
from tests.support.mutants import Mutant, duplicates_a_chunk, flips_a_bit, honest, serving

SHORT = ("--connections", "4", "--duration", "200ms", "--warmup", "0")
"""What keeps a run short."""

STALL = 1.4
"""Seconds."""

FEW = 64
"""Descriptors: enough to start, too few for a hundred connections."""


class LoadCase(TwistdCase):
    def load(self, *words: str, status: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        ended = self.run_to_end(script("echoproto"), "load", *words, **options)
        self.assertNotIn("Traceback", ended.stdout + ended.stderr)
        self.assertEqual(ended.returncode, status, ended)
        return ended

    def report(self, *words: str, status: int = 0, **options: Any) -> dict[str, Any]:
        """What it reports, valid by the schema."""
        ended = self.load(*words, "--json", "-", status=status, **options)
        report: dict[str, Any] = json.loads(ended.stdout)
        self.assertEqual([error.message for error in validator().iter_errors(report)], [])
        self.assertEqual(report["exit_status"], status)
        return report

    def wait_until_loaded(self, server: Server, count: int) -> None:
        """Wait until so many are connected, and send."""
        for _ in range(count):
            server.wait_for("New connection")
        deadline = time.monotonic() + PATIENCE
        while not server.tell()["bytes_received"]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def target(self, server: Server) -> str:
        return f"tcp:127.0.0.1:{server.port}"


class GoodTests(LoadCase):
    def test_all_that_it_reports(self) -> None:
        """On standard output, as a table and as JSON, and in files; of two processes."""
        server = self.serve("--log-connections", "off")
        folder = self.folder()
        words = ("--seed", "5", "--processes", "2", "--server-pid", str(server.pid), "--html", "html", "--hgrm", "hgrm")
        report = self.report(self.target(server), *SHORT, *words, cwd=folder)
        self.assertEqual((report["verdict"], report["seed"], report["connected"]), ("good", 5, 4))
        self.assertGreater(report["echoes_per_second"], 0)
        self.assertEqual(report["service_time_us"]["count"], report["echoes"])
        self.assertIsNone(report["response_time_us"])
        self.assertGreaterEqual(report["server_cpu_us_per_echo"], 0)
        self.assertEqual(report["bytes"]["sent"], report["bytes"]["acked"])
        self.assertEqual(server.counters()["accepted"], 4)
        for name, beginning in (("hgrm", b"       Value"), ("html", b"<!doctype html>")):
            with open(os.path.join(folder, name), "rb") as file:
                self.assertTrue(file.read().startswith(beginning), name)

    def test_a_table_for_people(self) -> None:
        server = self.serve("--log-connections", "off")
        ended = self.load(self.target(server), "--count", "999", "--warmup", "0")
        self.assertIn(f"good: {self.target(server)}, ", ended.stdout)
        self.assertIn("999 echoes of 64B", ended.stdout)
        self.assertIn("service time", ended.stdout)
        self.assertEqual(ended.stderr, f"{self.target(server)}: running\n")

    def test_its_own_server_and_quiet(self) -> None:
        command = f"{script('twistd')} -n echo --port {{port}}"
        folder = self.folder()
        ended = self.load("--server", command, *SHORT, "--quiet", "--json", "json", cwd=folder)
        self.assertEqual((ended.stdout, ended.stderr), ("", ""))
        with open(os.path.join(folder, "json"), encoding="utf-8") as file:
            report = json.load(file)
        self.assertIsNotNone(report["server_cpu_us_per_echo"])
        self.assertFalse(psutil.pid_exists(report["workload"]["server_pid"]))


class StallTests(LoadCase):
    def test_a_stall_shows_in_the_response_time(self) -> None:
        """L4: of a service that stops for 1.4 seconds of 10, the p99 tells, though few messages were sent meanwhile."""
        server = self.serve()
        words = (self.target(server), "--connections", "10", "--warmup", "0", "--rate", "500", "--json", "-")
        child = subprocess.Popen(
            [script("echoproto"), "load", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.wait_until_loaded(server, 10)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(STALL)
        server.process.send_signal(signal.SIGCONT)
        output, _ = child.communicate(timeout=PATIENCE)
        report = json.loads(output)
        self.assertIn(child.returncode, (0, 4), report["notes"])  # 4: the machine has kept the generator waiting
        service, response = report["service_time_us"], report["response_time_us"]
        self.assertGreater(response["p99"], STALL * 1e6 * 0.8)
        self.assertLess(service["p90"], STALL * 1e6 / 2)
        self.assertGreater(service["max"], STALL * 1e6 * 0.8)
        self.assertTrue(any("messages waited to be sent" in note for note in report["notes"]), report["notes"])


class ImportTests(LoadCase):
    def test_neither_the_command_nor_its_processes_import_twisted(self) -> None:
        """Each would start later and be larger by it."""
        server = self.serve()
        # Without PYTHONPATH, where an emulated kqueue may import Twisted; Python's own list goes to standard error.
        given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        words = (self.target(server), "--connections", "2", "--processes", "2", "--count", "9", "--warmup", "0")
        ended = self.load(*words, env={**given, "PYTHONPROFILEIMPORTTIME": "1"})
        lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
        imported = [line.rpartition("|")[2].strip() for line in lines]
        self.assertEqual((imported.count("echoproto.load.session"), imported.count("echoproto.load.engine")), (1, 2))
        self.assertEqual({name for name in imported if name.partition(".")[0] == "twisted"}, set())

    def test_help_imports_neither_twisted_nor_rich(self) -> None:
        ended = self.run_to_end(sys.executable, "-X", "importtime", "-P", "-m", "echoproto", "--help")
        self.assertIn("echoproto.cli.group", ended.stderr)
        for name in ("twisted", "rich", "echoproto.load"):
            self.assertNotRegex(ended.stderr, rf"(?m)\| +{name}$")


class HarmTests(LoadCase):
    def harmed_by(self, mutant: Mutant, *words: str, status: int) -> dict[str, Any]:
        with serving(mutant) as connect:
            with connect() as client:
                port = client.getpeername()[1]
            return self.report(f"tcp:127.0.0.1:{port}", *SHORT, *words, status=status)

    def test_an_honest_server(self) -> None:
        self.assertEqual(self.harmed_by(honest, status=0)["verdict"], "good")

    def test_each_harm_is_named(self) -> None:
        """L2"""
        for mutant, verdict in ((flips_a_bit, "corrupt"), (duplicates_a_chunk, "duplicated")):
            report = self.harmed_by(mutant, status=1)
            self.assertEqual(report["verdict"], verdict)
            self.assertGreater(report["findings"][verdict], 0)
            self.assertRegex(report["first_findings"][0], r"offset \d+")

    def test_a_server_that_dies_in_mid_run(self) -> None:
        """L1"""
        server = self.serve()
        words = (self.target(server), "--connections", "4", "--warmup", "0", "--duration", "20s", "--json", "-")
        child = subprocess.Popen(
            [script("echoproto"), "load", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.wait_until_loaded(server, 4)
        server.process.send_signal(signal.SIGKILL)
        output, _ = child.communicate(timeout=PATIENCE)
        report = json.loads(output)
        self.assertEqual((child.returncode, report["exit_status"]), (1, 1))
        self.assertIn(report["verdict"], ("lost", "failed"))
        self.assertEqual(sum(report["bytes"][name] for name in ("acked", "lost", "unknown")), report["bytes"]["sent"])
        server.process.wait(PATIENCE)


class OtherEndsTests(LoadCase):
    def complaint(self, *words: str, status: int, **options: Any) -> str:
        ended = self.load(*words, status=status, **options)
        [line] = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
        self.assertEqual(ended.stdout, "")
        return line

    def test_usage(self) -> None:
        self.assertIn("TARGET localhost:8888: unknown transport", self.complaint("localhost:8888", status=2))

    def test_a_flood_to_others_is_refused(self) -> None:
        """L5"""
        self.assertIn("--i-own-this-host", self.complaint("tcp:192.0.2.1:7", status=2))

    def test_nobody_listens(self) -> None:
        with socket.socket() as silent:  # and nobody else can
            silent.bind(("127.0.0.1", 0))
            port = silent.getsockname()[1]
            self.assertIn(f"tcp:127.0.0.1:{port}", self.complaint(f"tcp:127.0.0.1:{port}", status=3))

    def test_own_descriptors_run_out(self) -> None:
        """L3"""
        server = self.serve("--log-connections", "off")
        ended = self.load(
            *(self.target(server), "--connections", "100", "--duration", "300ms", "--warmup", "0"),
            status=4,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW)),
        )
        self.assertIn("client limit", ended.stdout + ended.stderr)
        self.assertIn("descriptors", ended.stdout + ended.stderr)

    def test_interrupted(self) -> None:
        """L6: a partial report, marked as partial, and no process left."""
        server = self.serve()
        folder = self.folder()
        words = (self.target(server), "--connections", "4", "--warmup", "0", "--processes", "2", "--json", "a.json")
        child = Child(script("echoproto"), "load", *words, cwd=folder)
        self.wait_until_loaded(server, 4)
        processes = psutil.Process(child.pid).children(recursive=True)
        self.assertGreaterEqual(len(processes), 2)
        self.assertEqual(child.stop(signal.SIGINT), 130)
        with open(os.path.join(folder, "a.json"), encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual((report["partial"], report["exit_status"]), (True, 130))
        self.assertTrue(any(line.startswith("good (partial): ") for line in child.lines), child.lines)
        deadline = time.monotonic() + PATIENCE
        while running := [process for process in processes if is_running(process.pid)]:  # one tidies up after the rest
            self.assertLess(time.monotonic(), deadline, running)

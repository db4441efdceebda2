"""Results of version 1, as ``echoproto compare`` wrote them until version 2 came."""

import json
import os
from typing import Any

from click.testing import CliRunner
from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.cli.group import main
from echoproto.compare.results import Cell, document
from echoproto.compare.resultsfile import read_file
from echoproto.compare.versions import CELL, FORMER, RESULTS, SAMPLE, path_in_version_1
from tests.compare.test_results import VALIDATOR, as_json
from tests.compare.test_resultsfile import GOOD_NUMBERS, FileCase, ReportCase, changed, places
from tests.compare.test_structure import values

STORED = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "data", "compare-1.json"))
with open(STORED, encoding="utf-8") as file:
    DOCUMENT = json.load(file)


class StoredFileTests(FileCase):
    def test_all_figures_stay(self) -> None:
        """Under today's names, and in the same units."""
        results = read_file(STORED)
        self.assertEqual(results.duration_seconds, DOCUMENT["duration"])
        self.assertEqual(results.cells, (Cell(5, 64), Cell(5, 64, idle=600, rate=300.0)))
        self.assertEqual(len(results.samples), 9)
        for sample, stored in zip(as_json(results)["samples"], DOCUMENT["samples"], strict=True):
            for name, value in stored.items():
                if name != "cell":
                    self.assertEqual(sample[SAMPLE.get(name, name)], value, name)

    def test_today_it_is_written_as_version_2(self) -> None:
        results = read_file(STORED)
        self.write(json.dumps(document(results)))
        self.assertEqual([error.message for error in VALIDATOR.iter_errors(as_json(results))], [])
        self.assertEqual(read_file(self.path), results)

    def test_keys_of_today_mean_nothing_in_it(self) -> None:
        for path in (("duration_seconds",), ("samples", 1, "client_cpu_share"), ("cells", 0, "size_bytes")):
            self.write(json.dumps(changed(path, "x", DOCUMENT)))
            self.assertEqual(read_file(self.path), read_file(STORED))

    def test_an_error_names_the_key_of_the_file(self) -> None:
        for path, value, told in (
            (("samples", 1, "server_cpu_us"), -1, "samples[1].server_cpu_us: -1: must be a number, at least 0"),
            (("samples", 1, "server_cpu_us"), 1e-300, "samples[1].server_cpu_us: must be 0, or at least 1e-09"),
            (("samples", 1, "cell", "size"), 0, "samples[1].cell.size: 0: must be a whole number from 1"),
            (("samples", 1, "cell"), 5, "samples[1].cell: 5: must be an object"),
            (("samples", 1), 5, "samples[1]: 5: must be an object"),
            (("samples",), 5, "samples: 5: must be an array"),
            (("cells", 0, "size"), "5", "cells[0].size: '5': must be a whole number"),
            (("calls",), [5], "calls[0]: 5: must be an object"),
            (("duration",), 0, "duration: 0: must be a number, greater than 0"),
        ):
            complaint = self.complaint(json.dumps(changed(path, value, DOCUMENT)))
            self.assertTrue(complaint.startswith(told), complaint)

    def test_without_calls(self) -> None:
        self.write(json.dumps({name: value for name, value in DOCUMENT.items() if name != "calls"}))
        self.assertEqual(read_file(self.path).calls, ())


class ReportTests(ReportCase):
    def told(self, *words: str) -> str:
        result = CliRunner().invoke(main, ["report", *words])
        self.assertEqual(result.exit_code, 0, result.output)
        return result.stdout

    def test_the_same_as_of_version_2(self) -> None:
        self.write(json.dumps(document(read_file(STORED))))
        told = self.told(STORED)
        self.assertEqual(told, self.told(self.path))
        for line in ("broken failed (5 connections, 64B): unreachable: it ended with status 3", "client-bound: 1.21 ×"):
            self.assertIn(line, told)

    def test_beside_later_ones(self) -> None:
        samples = [{**each, "echoes_per_second": each["echoes_per_second"] * 2} for each in DOCUMENT["samples"]]
        self.write(json.dumps({**document(read_file(STORED)), "samples": as_json_of_version_2(samples)}))
        for one, other in ((STORED, self.path), (self.path, STORED)):
            self.assertIn("4 rounds of 0.2 s", self.told(one, other))
            self.assertIn("since the earlier run: 0 of 4 worse", self.told(one, "--against", other))

    @given(strategies.sampled_from(list(places(DOCUMENT))), values | GOOD_NUMBERS)
    @settings(deadline=None, max_examples=50)
    def test_any_value_in_place_of_another(self, path: tuple[str | int, ...], value: Any) -> None:
        self.report(json.dumps(changed(path, value, DOCUMENT)))


def as_json_of_version_2(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rename by hand, without the code that is tried."""
    found = [{SAMPLE.get(name, name): value for name, value in each.items()} for each in samples]
    return [{**each, "cell": {CELL.get(name, name): value for name, value in each["cell"].items()}} for each in found]


class PathTests(SynchronousTestCase):
    def test_each_name(self) -> None:
        for former, name in {**RESULTS, **SAMPLE, **CELL}.items():
            self.assertEqual(path_in_version_1(f"samples[3].{name}"), f"samples[3].{former}")
            self.assertEqual(path_in_version_1(name), former)
        self.assertEqual(len(FORMER), 8)

    def test_what_has_kept_its_name(self) -> None:
        for path in ("", "rounds", "samples[3]", "environment.duration_seconds", "samples[0].spectrum[1][0]"):
            self.assertEqual(path_in_version_1(path), path)

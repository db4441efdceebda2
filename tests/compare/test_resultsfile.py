import json
import os
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from attrs import evolve
from click.testing import CliRunner
from hypothesis import given, settings, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.cli.group import main
from echoproto.compare.results import Calls, Cell, Sample, document
from echoproto.compare.resultsfile import read_file
from echoproto.errors import ConfigurationError
from tests.compare.runs import TRUTHS, run
from tests.compare.test_results import as_json
from tests.compare.test_structure import values

FEW = {name: TRUTHS[name] for name in ("echo-epoll", "twisted-epoll")}
RESULTS = run(FEW, [Cell(), Cell(idle=9)], rounds=5)
DOCUMENT = as_json(RESULTS)


def places(part: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path to each value of a document."""
    yield path
    children = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


PLACES = list(places(DOCUMENT))
GOOD_NUMBERS = strategies.sampled_from([0, 1, 2, 5, 2**60, 1e-9, 0.5, 1e15, "", "good", "client limit", "failed", None])


def changed(path: tuple[str | int, ...], value: Any, document: Any = DOCUMENT) -> Any:
    """Return the document with another value in one place."""
    if not path:
        return value
    made = at = deepcopy(document)
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return made


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()

    def write(self, content: bytes | str) -> None:
        with open(self.path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def complaint(self, content: bytes | str) -> str:
        self.write(content)
        told = str(self.assertRaises(ConfigurationError, read_file, self.path))
        self.assertTrue(told.startswith(f"{self.path}: "), told)
        return told.removeprefix(f"{self.path}: ")


class ReadTests(FileCase):
    def test_a_later_version_has_more_keys(self) -> None:
        """They are ignored wherever they are, as the schema promises."""
        later = deepcopy(DOCUMENT)
        for part in (later, later["cells"][0], later["contestants"][0], later["samples"][0], later["calls"][0]):
            part["new"] = {"of": ["any", "kind"]}
        later["samples"][1]["cell"]["new"] = None
        later["samples"][0]["verdict"] = "a new one"
        self.write(json.dumps(later))
        found = read_file(self.path)
        self.assertEqual(found.samples[1:], RESULTS.samples[1:])
        self.assertEqual(found.samples[0], evolve(RESULTS.samples[0], verdict="a new one"))

    def test_a_folder(self) -> None:
        os.mkdir(self.path)
        error = self.assertRaises(ConfigurationError, read_file, self.path)
        self.assertEqual(str(error), f"{self.path}/results.json: No such file or directory")
        self.write_in_folder()
        self.assertEqual(read_file(self.path), RESULTS)

    def write_in_folder(self) -> None:
        with open(os.path.join(self.path, "results.json"), "w", encoding="utf-8") as file:
            json.dump(DOCUMENT, file)

    def test_what_is_no_json(self) -> None:
        for content, said in (
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("rounds = 5", "Expecting value"),
            (b"\x89PNG\r\n\x1a\n\x00\xff", "it is not UTF-8 text"),
            ("[" * 100_000, "it is nested too deeply"),
            ('{"a": 1, "b": 2, "a": 3}', "duplicate key 'a'"),
            (json.dumps(DOCUMENT)[:-1], "Expecting"),
        ):
            self.assertTrue(self.complaint(content).startswith(f"not JSON: {said}"), self.complaint(content))

    def test_what_is_not_that_of_a_comparison(self) -> None:
        """Such as the report of a load."""
        self.assertEqual(
            self.complaint('{"schema_version": 1, "verdict": "good"}'),
            "contestants: missing, so this is not the results.json of 'echoproto compare'",
        )
        self.assertIn("must be an object, as 'echoproto compare' writes", self.complaint("[]"))

    def test_another_version(self) -> None:
        versions: tuple[Any, ...] = (3, "1", True, None, [], {}, 10**400)
        for version in versions:
            told = self.complaint(json.dumps({**DOCUMENT, "schema_version": version}))
            self.assertRegex(told, "^schema_version: .*: this version of echoproto reads 1 and 2$")

    def test_a_figure_that_can_not_be(self) -> None:
        for value, shown in (("Infinity", "Infinity"), ("1e999", "Infinity"), ("-1", "-1"), ('"5"', "'5'")):
            text = json.dumps(changed(("samples", 3, "server_cpu_us_per_echo"), "HERE")).replace('"HERE"', value)
            self.assertEqual(
                self.complaint(text),
                f"samples[3].server_cpu_us_per_echo: {shown}: must be a number, at least 0 and at most 1e+15",
            )
        text = json.dumps(changed(("rounds",), 5)).replace('"rounds": 5', f'"rounds": 1{"0" * 9999}')
        self.assertTrue(self.complaint(text).startswith("rounds: Infinity: must be a whole number"))


class ConsistencyTests(FileCase):
    def told_of(self, **changes: Any) -> str:
        return self.complaint(json.dumps(document(evolve(RESULTS, **changes))))

    def test_parts_that_do_not_fit_together(self) -> None:
        sample = Sample(contestant="echo-epol", cell=Cell(), round=0, verdict="good")
        elsewhere = Calls("echo-epoll", Cell(idle=7))
        tiny = evolve(RESULTS.samples[0], echoes_per_second=1e-300)
        for changes, said in (
            ({"contestants": ()}, "contestants: empty: there must be at least one"),
            ({"cells": ()}, "cells: empty: there must be at least one"),
            ({"cells": RESULTS.cells * 2}, "cells: duplicate entry"),
            ({"contestants": RESULTS.contestants * 2}, "contestants: duplicate entry"),
            ({"baseline": "nobody"}, "baseline: 'nobody' is not one of the contestants"),
            (
                {"samples": (sample,)},
                "samples[0].contestant: 'echo-epol' is not one of the contestants (did you mean 'echo-epoll'?)",
            ),
            ({"calls": (elsewhere,)}, "calls[0].cell: must be one of the cells"),
            ({"samples": (tiny,)}, "samples[0].echoes_per_second: must be 0, or at least 1e-09"),
        ):
            self.assertEqual(self.told_of(**changes), said)


class ReportCase(FileCase):
    """Any file is reported, or is one line and status 2."""

    def report(self, content: bytes | str, *words: str) -> None:
        self.write(content)
        result = CliRunner().invoke(main, ["report", self.path, *words])
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        self.assertIn(result.exit_code, (0, 2), result.output)
        self.assertEqual(len(result.stderr.splitlines()), result.exit_code // 2, result.stderr)


class MutatedTests(ReportCase):
    @given(strategies.sampled_from(PLACES), values | GOOD_NUMBERS)
    @settings(deadline=None, max_examples=150)
    def test_any_value_in_place_of_another(self, path: tuple[str | int, ...], value: Any) -> None:
        self.report(json.dumps(changed(path, value)))

    @given(strategies.data())
    @settings(deadline=None, max_examples=30)
    def test_flipped_bytes(self, data: strategies.DataObject) -> None:
        content = bytearray(json.dumps(DOCUMENT).encode())
        for _ in range(data.draw(strategies.integers(1, 3))):
            content[data.draw(strategies.integers(0, len(content) - 1))] = data.draw(strategies.integers(0, 255))
        self.report(bytes(content))

    @given(strategies.lists(strategies.tuples(GOOD_NUMBERS, GOOD_NUMBERS, GOOD_NUMBERS), min_size=1, max_size=9))
    @settings(deadline=None, max_examples=60)
    def test_figures_of_any_size(self, figures: list[tuple[Any, Any, Any]]) -> None:
        made = deepcopy(DOCUMENT)
        for sample, (rate, time, memory) in zip(made["samples"], figures, strict=False):
            sample["echoes_per_second"], sample["server_cpu_us_per_echo"] = rate, rate
            sample["service_time_us"] = {"p50": time, "p99": time}
            sample["idle_rss_bytes"], sample["busy_rss_bytes"] = memory, time
        self.report(json.dumps(made), "--against", self.path)

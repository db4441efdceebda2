import json
import os
from typing import Any

from attrs import fields
from hypothesis import given, settings, strategies
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

import echoproto
from echoproto.compare.results import SCHEMA_VERSION, Calls, Cell, Contestant, Results, Sample, document, read
from echoproto.errors import ConfigurationError
from echoproto.load.verdict import LoadVerdict

SCHEMA = os.path.join(
    os.path.dirname(echoproto.__file__), "compare", "report", "schema", f"compare-{SCHEMA_VERSION}.json"
)

positive = strategies.integers(1, 1 << 60)
natural = strategies.integers(0, 1 << 60)
floats = strategies.floats(0, 1e12)
comparable = strategies.just(0.0) | strategies.floats(1e-9, 1e12)
percentiles = strategies.dictionaries(strategies.sampled_from(["p50", "p99.9", "max"]), natural)
cells = strategies.builds(
    Cell,
    positive,
    positive,
    natural,
    strategies.sampled_from(["tcp", "tls", "udp"]),
    strategies.none() | strategies.floats(0.1, 1e9),
    strategies.sampled_from([None, "fin", "reset"]),
)
samples = strategies.builds(
    Sample,
    contestant=strategies.text(),
    cell=cells,
    round=natural,
    verdict=strategies.sampled_from(["good", "client limit", "not possible", *LoadVerdict]),
    why=strategies.text(),
    echoes_per_second=comparable,
    service_time_us=percentiles,
    response_time_us=percentiles,
    spectrum=strategies.lists(strategies.tuples(strategies.floats(0, 100), natural), max_size=3),
    server_cpu_us_per_echo=strategies.none() | comparable,
    client_cpu_share=floats,
    idle_rss_bytes=strategies.none() | natural,
    busy_rss_bytes=strategies.none() | natural,
    voluntary_switches_per_echo=strategies.none() | floats,
    involuntary_switches_per_echo=strategies.none() | floats,
)
counts = strategies.builds(
    Calls, strategies.text(), cells, strategies.dictionaries(strategies.text(), floats, max_size=3), strategies.text()
)
contestants = strategies.builds(
    Contestant,
    strategies.text(min_size=1),
    strategies.text(),
    strategies.lists(strategies.text(), max_size=3),
    strategies.text(),
)
results = strategies.builds(
    Results,
    preset=strategies.text(),
    baseline=strategies.text(),
    seed=natural,
    rounds=positive,
    duration_seconds=strategies.floats(0.001, 1e6),
    command=strategies.text(),
    environment=strategies.dictionaries(strategies.text(), strategies.text() | natural, max_size=3),
    contestants=strategies.lists(contestants, max_size=2).map(tuple),
    cells=strategies.lists(cells, max_size=2).map(tuple),
    samples=strategies.lists(samples, max_size=2).map(tuple),
    calls=strategies.lists(counts, max_size=2).map(tuple),
    partial=strategies.booleans(),
)


def validator() -> Draft202012Validator:
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


VALIDATOR = validator()


def as_json(made: Results) -> Any:
    return json.loads(json.dumps(document(made)))


class ResultsTests(SynchronousTestCase):
    @given(results)
    @settings(deadline=None, max_examples=50)
    def test_read_back_and_valid(self, made: Results) -> None:
        written = as_json(made)
        self.assertEqual([error.message for error in VALIDATOR.iter_errors(written)], [])
        self.assertEqual(read(written), made)

    def test_the_schema_knows_each_key(self) -> None:
        """A new field has to be in it, too."""
        schema = VALIDATOR.schema
        assert isinstance(schema, dict)
        for kind, described in (
            (Results, schema),
            (Sample, schema["$defs"]["sample"]),
            (Cell, schema["$defs"]["cell"]),
            (Calls, schema["$defs"]["calls"]),
            (Contestant, schema["$defs"]["contestant"]),
        ):
            self.assertEqual(
                set(described["properties"]) - {"schema_version"}, {field.name for field in fields(kind)}, kind
            )
        self.assertEqual(
            set(schema["$defs"]["sample"]["properties"]["verdict"]["enum"]), {"not possible", *LoadVerdict}
        )

    def test_what_is_not_valid(self) -> None:
        everything: tuple[Any, ...] = ({}, {"schema_version": 3}, [], 5)
        for wrong in everything:
            self.assertFalse(VALIDATOR.is_valid(wrong))
            self.assertRaises(ConfigurationError, read, wrong)

    def test_what_a_wrong_value_must_be(self) -> None:
        some = {"schema_version": 2, "contestants": [], "cells": [], "samples": []}
        contestant = {"name": "", "group": "", "command": []}
        for more, said in (
            ({"schema_version": 3}, "schema_version: 3: this version of echoproto reads 1 and 2"),
            ({"contestants": [contestant]}, "contestants[0].name: '': must be a name"),
            ({"environment": {"cores": 1.5}}, "environment.cores: 1.5: must be a text or a whole number"),
        ):
            base = {
                "preset": "",
                "baseline": "",
                "seed": 0,
                "rounds": 1,
                "duration_seconds": 1,
                "command": "",
                "environment": {},
            }
            error = self.assertRaises(ConfigurationError, read, {**base, **some, **more})
            self.assertEqual(str(error), said)

    def test_samples_of_one_pair(self) -> None:
        taken = [
            Sample(contestant=c, cell=Cell(idle=i), round=n, verdict="good")
            for n in (1, 0)
            for c in "ab"
            for i in (0, 1)
        ]
        made = Results(
            preset="", baseline="a", seed=0, rounds=2, duration_seconds=1.0, command="", environment={}, contestants=(),
            cells=(), samples=tuple(taken),
        )  # fmt: skip
        self.assertEqual([s.round for s in made.of("a", Cell(idle=1))], [0, 1])
        self.assertEqual({(s.contestant, s.cell) for s in made.of("a", Cell(idle=1))}, {("a", Cell(idle=1))})

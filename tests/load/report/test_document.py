import json
import os
from collections import Counter
from typing import Any

from attrs import evolve
from hypothesis import given, settings, strategies
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

import echoproto
from echoproto.host.environment import environment
from echoproto.load.histogram import Histogram
from echoproto.load.options import parse_aim
from echoproto.load.outcome import Outcome, Second
from echoproto.load.report.document import SCHEMA_VERSION, Report, document
from echoproto.load.search import Found, Result, Step
from echoproto.load.summary import summarise
from echoproto.load.verdict import HARMS, LoadVerdict
from echoproto.load.workload import MAX_SEED, Arrivals, Churn, Target, Transport, Workload
from tests.load.test_outcome import outcomes

SCHEMA = os.path.join(os.path.dirname(echoproto.__file__), "load", "report", "schema", f"load-{SCHEMA_VERSION}.json")
ENVIRONMENT = environment()

workloads = strategies.builds(
    Workload,
    target=strategies.builds(Target, strategies.sampled_from(Transport), host=strategies.text()),
    rate=strategies.none() | strategies.floats(0.1, 1e6),
    arrivals=strategies.sampled_from(Arrivals),
    churn=strategies.none() | strategies.sampled_from(Churn),
    greeting=strategies.none() | strategies.binary(),
    proxy=strategies.sampled_from([None, 1, 2]),
    duration=strategies.none() | strategies.floats(0.1, 1e6),
    count=strategies.none() | strategies.integers(1),
    seed=strategies.integers(0, MAX_SEED),
)
searches = strategies.none() | strategies.builds(
    Found,
    strategies.just(parse_aim("p99<2ms")),
    strategies.none() | strategies.floats(1, 1e6),
    strategies.booleans(),
    strategies.lists(
        strategies.builds(
            Step, strategies.floats(1, 1e6), strategies.sampled_from(Result), strategies.none() | strategies.integers(0)
        )
    ),
)


def validator() -> Draft202012Validator:
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def made(**found: object) -> dict[str, Any]:
    """The document of a made-up run."""
    times = Histogram()
    times.record([0.001] * 99 + [0.005])
    outcome = Outcome(
        messages=100, elapsed=2.0, cpu=1.0, service_time=times, seconds={1: Second(100, 0, times), 3: Second()}
    )
    outcome = evolve(outcome, **found)  # type: ignore[arg-type]
    workload = Workload(target=Target(Transport.TCP, "::1", 7), seed=9)
    return document(Report(workload, outcome, summarise(workload, outcome), ENVIRONMENT))


class ReportTests(SynchronousTestCase):
    @given(workloads, outcomes, searches)
    @settings(deadline=None, max_examples=25)
    def test_valid_by_the_schema(self, workload: Workload, outcome: Outcome, found: Found | None) -> None:
        outcome.findings = Counter({harm: 1 for harm in HARMS if harm in outcome.findings})
        made = document(Report(workload, outcome, summarise(workload, outcome), ENVIRONMENT, found))
        read = json.loads(json.dumps(made, allow_nan=False))
        self.assertEqual(read, made)
        self.assertEqual([error.message for error in validator().iter_errors(read)], [])

    def test_the_schema_refuses_others(self) -> None:
        """A check that finds everything valid would say nothing."""
        check = validator()
        self.assertTrue(check.is_valid(made()))
        for name in made():
            self.assertFalse(check.is_valid({k: v for k, v in made().items() if k != name}), name)
        for name, value in (("verdict", "fine"), ("seed", -1), ("service_time_us", {}), ("schema_version", 1)):
            self.assertFalse(check.is_valid({**made(), name: value}), name)

    def test_the_schema_knows_all_verdicts(self) -> None:
        schema = validator().schema
        assert isinstance(schema, dict)
        self.assertEqual(tuple(schema["properties"]["verdict"]["enum"]), tuple(LoadVerdict))

    def test_at_its_top_level(self) -> None:
        read = made()
        self.assertEqual((read["target"], read["verdict"], read["seed"]), ("tcp:[::1]:7", "good", 9))
        self.assertEqual((read["echoes_per_second"], read["elapsed_seconds"]), (50, 2))
        self.assertEqual((read["client_bound"], read["partial"]), (False, False))
        self.assertIsNone(read["response_time_us"])
        self.assertEqual(read["service_time_us"]["p50"], 1000)
        self.assertEqual(read["service_time_us"]["max"] // 10, 500)

    def test_too_little_for_a_rate(self) -> None:
        shown = made(elapsed=0.09)
        self.assertTrue(validator().is_valid(shown))
        self.assertEqual((shown["echoes_per_second"], shown["client_cpu_share"]), (None, None))

    def test_timeline(self) -> None:
        one, two = made()["timeline"]
        self.assertEqual((one["second"], one["echoes"], one["p99_us"]), (1, 100, 1000))
        self.assertEqual(two, {"second": 3, "echoes": 0, "errors": 0, "p50_us": None, "p99_us": None})

    def test_environment(self) -> None:
        self.assertEqual(ENVIRONMENT["echoproto"], echoproto.__version__)
        for name in ("date", "cpu", "cores", "kernel", "python", "hdrhistogram"):
            self.assertTrue(ENVIRONMENT[name], name)

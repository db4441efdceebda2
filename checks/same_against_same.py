"""
A server against itself: ``python -m checks.same_against_same [--runs N] [--rounds N] [--duration S] [--first SEED]``.

Each run is a whole comparison of two contestants that are started by the same command. Of 20 runs, 2 at the most may
call a difference: an interval of 95 % is wrong once in 20 times, and three such in 20 come by chance once in 13 times.
Exits with 1 if there are more, or if all were too noisy to tell. ``--first`` goes on where an earlier call has ended.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from echoproto.compare.analysis.verdict import Kind, Verdict, judge
from echoproto.compare.plan.contestants import catalogue
from echoproto.compare.plan.options import Options
from echoproto.compare.run.comparison import Task, measure, prepare
from echoproto.compare.run.progress import Silence
from echoproto.host.signals import Interruption

NAME, TWIN = "twisted-epoll", "twin"
"""Not one of the fastest, of which the generator would be the limit."""

RUNS = 20
ROUNDS = 7
DURATION = 1.0
HOUR = 3600.0
ALLOWED = 0.1
"""Share of the runs that may call a difference."""


def compare(seed: int, rounds: int, duration: float) -> Verdict:
    """One run."""
    command = catalogue()[NAME].commands["tcp"]
    options = Options(
        contestants=(NAME,),
        contestant=(f"{TWIN}={command}",),
        idle=(0,),
        rounds=rounds,
        duration=duration,
        baseline=NAME,
        calls=False,
        budget=HOUR,
    )
    prepared = prepare(Task(preset="quick", file=None, options=options, seed=seed, command="same against same"))
    with Interruption() as interruption:
        results = measure(prepared, Silence(), interruption)
    return judge(results, TWIN, results.cells[0])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.same_against_same")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how many (default {RUNS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"in each of them (default {ROUNDS})")
    parser.add_argument("--duration", type=float, default=DURATION, help=f"seconds of a sample (default {DURATION:g})")
    parser.add_argument("--first", type=int, default=1, help="seed of the first (default 1)")
    arguments = parser.parse_args()
    kinds: Counter[Kind] = Counter()
    for seed in range(arguments.first, arguments.first + arguments.runs):
        verdict = compare(seed, arguments.rounds, arguments.duration)
        kinds[verdict.kind] += 1
        print(f"seed {seed}: {verdict}", flush=True)
    print(", ".join(f"{kind.value}: {count}" for kind, count in kinds.most_common()))
    told = kinds[Kind.SAME] + kinds[Kind.DIFFERENT]
    return 0 if told and kinds[Kind.DIFFERENT] <= ALLOWED * arguments.runs else 1


if __name__ == "__main__":
    sys.exit(main())

"""
Compare a server with itself:
``python -m checks.same_against_same [--runs N] [--rounds N] [--duration S] [--first SEED]``.

Each run is a complete comparison of two contestants with the same command. At most 2 of 20 runs may find a difference:
a 95 % interval is wrong once in 20 times, and 3 of 20 are wrong by chance once in 13 times. The exit status is 1 if
there are more, or if all runs were too noisy. To continue an earlier call, give its next seed with ``--first``.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.verdict import Kind, Verdict
from echoproto.compare.plan.contestants import catalogue
from echoproto.compare.plan.options import Options
from echoproto.compare.run.comparison import Task, measure, prepare
from echoproto.host.signals import Interruption
from echoproto.progress import Progress

NAME, TWIN = "twisted-epoll", "twin"
"""A server of medium speed; with the fastest, the generator would be the limit."""

RUNS = 20
ROUNDS = 7
DURATION = 1.0
HOUR = 3600.0
ALLOWED = 0.1
"""Share of the runs that may call a difference."""


def compare(seed: int, rounds: int, duration: float) -> Verdict:
    """Run one comparison."""
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
        results = measure(prepared, Progress(), interruption)
    return judge(results).at(TWIN, results.cells[0]).verdict


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m checks.same_against_same", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"number of comparisons (default {RUNS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each comparison (default {ROUNDS})")
    parser.add_argument(
        "--duration", type=float, default=DURATION, help=f"measuring time of a sample in seconds (default {DURATION:g})"
    )
    parser.add_argument("--first", type=int, default=1, help="seed of the first comparison (default 1)")
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

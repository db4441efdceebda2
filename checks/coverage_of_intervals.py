"""
Measure the coverage of intervals of a comparison: ``python -m checks.coverage_of_intervals [SIMULATIONS]``.

Rounds are drawn whose true ratio is known, with noise of several kinds, and drift that all of a round share. Exits with
1 unless each of the intervals covers it in 93 to 97 of 100 simulations; where the noise is not symmetric, which no
interval from so few figures can know, it says so only.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from random import Random

from echoproto.compare.analysis.statistics import Ratio, paired_ratio

TRUE_RATIO = 1.68
NOISE = 0.03
DRIFT = 0.2
ROUNDS = (5, 6, 7, 8, 10, 12, 15)
SIMULATIONS = 2_000


def lognormal(random: Random) -> float:
    """Draw the noise of a quiet machine."""
    return random.gauss(0, NOISE)


def heavy_tails(random: Random) -> float:
    """Draw Student's t with 3 degrees of freedom, with occasional outliers."""
    return NOISE * random.gauss(0, 1) / math.sqrt(sum(random.gauss(0, 1) ** 2 for _ in range(3)) / 3)


def stalls(random: Random) -> float:
    """Draw noise in which other activity takes a fifth of the time in one of ten samples."""
    return lognormal(random) - (0.2 if random.random() < 0.1 else 0)


def lopsided(random: Random) -> float:
    """Draw one-sided noise, which only slows down."""
    return -NOISE * random.expovariate(1)


KINDS: dict[str, Callable[[Random], float]] = {
    "lognormal": lognormal,
    "heavy tails": heavy_tails,
    "stalls": stalls,
    "lopsided": lopsided,
}


def simulated(random: Random, noise: Callable[[Random], float], rounds: int, truth: float = TRUE_RATIO) -> Ratio:
    """Return the ratio of simulated rounds, as `echoproto.compare` computes it."""
    pairs = []
    for _ in range(rounds):
        shared = math.exp(random.gauss(0, DRIFT))
        pairs.append((truth * shared * math.exp(noise(random)), shared * math.exp(noise(random))))
    return paired_ratio(tuple(pairs), random.getrandbits(32))


def covered(noise: Callable[[Random], float], rounds: int, simulations: int, seed: int = 1) -> float:
    """Return the share of simulations whose interval covers the truth."""
    random = Random(f"{seed} {rounds}")
    ratios = (simulated(random, noise, rounds) for _ in range(simulations))
    return sum(ratio.low <= TRUE_RATIO <= ratio.high for ratio in ratios) / simulations


def main() -> int:
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else SIMULATIONS
    print(f"{'rounds':<12}", *(f"{rounds:>6}" for rounds in ROUNDS))
    good = True
    for name, noise in KINDS.items():
        shares = [covered(noise, rounds, simulations) for rounds in ROUNDS]
        print(f"{name:<12}", *(f"{share:6.1%}" for share in shares), flush=True)
        good = good and all(0.93 <= share <= 0.97 for share in shares)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""
The plans that have a name.
"""

from __future__ import annotations

from attrs import evolve

from echoproto.compare.plan.plan import Plan
from echoproto.compare.results import Cell

MINUTE = 60.0

KIB = 1 << 10

USUAL = Cell(connections=50, size_bytes=64)

MOST_FOR_SELECT = 900
"""Idle connections that select can hold beside the others."""

DESCRIPTIONS = {
    "quick": "few and many connections",
    "standard": "all reactors and their usual alternatives",
    "c10k": "0 to 10,000 idle connections",
    "sizes": "messages from 64 bytes to 100 KiB",
    "seed": "threads, processes, select, poll, epoll, kqueue",
    "churn": "a new connection for each message",
}


def preset(name: str, native: str) -> Plan:
    """
    A plan.

    :param name: one of `DESCRIPTIONS`.
    :param native: the reactor that is this system's best: epoll, kqueue or poll.
    """
    plan = {plan.preset: plan for plan in _presets(native)}[name]
    # Where poll is the best there is, it stands in the plan under two names.
    return evolve(plan, baseline=plan.contestants[0])


def _presets(native: str) -> tuple[Plan, ...]:
    ours, buffered, stock = f"echo-{native}", f"echo-{native}-buffered", f"twisted-{native}"
    lean = f"echo-lean-{native}"
    beside = tuple(evolve(USUAL, idle=idle) for idle in (0, MOST_FOR_SELECT))
    return (
        Plan(
            preset="quick",
            contestants=(ours, lean, "echo-poll", "echo-select", stock, "asyncio-protocol"),
            cells=beside,
            rounds=6,
            duration=0.5,
            budget=1.9 * MINUTE,
            baseline=ours,
        ),
        Plan(
            preset="standard",
            contestants=(
                *(ours, lean, buffered, "echo-poll", "echo-select", "echo-asyncio", "echo-uvloop"),
                *(stock, "twisted-poll", "twisted-asyncio"),
                *("asyncio-protocol", "asyncio-streams", "uvloop-protocol", "threads", "processes"),
            ),
            cells=(
                USUAL,
                evolve(USUAL, rate=2_000.0),
                evolve(USUAL, connections=10, size_bytes=10 * KIB),
                evolve(USUAL, idle=MOST_FOR_SELECT),
            ),
            rounds=7,
            duration=0.8,
            budget=14.5 * MINUTE,
            baseline=ours,
        ),
        Plan(
            preset="c10k",
            contestants=(
                *(ours, lean, "echo-poll", "echo-select", stock, "twisted-poll", "twisted-select"),
                *("asyncio-protocol", "threads"),
            ),
            cells=tuple(evolve(USUAL, idle=idle) for idle in (0, 100, 1_000, 10_000)),
            rounds=7,
            duration=0.8,
            budget=9.5 * MINUTE,
            baseline=ours,
            calls=False,
        ),
        Plan(
            preset="sizes",
            contestants=(ours, lean, buffered, stock, "asyncio-protocol", "uvloop-protocol", "threads"),
            cells=tuple(evolve(USUAL, connections=10, size_bytes=size) for size in (64, KIB, 10 * KIB, 100 * KIB)),
            rounds=7,
            duration=1.0,
            budget=9.5 * MINUTE,
            baseline=ours,
        ),
        Plan(
            preset="seed",
            contestants=("echo-epoll", "echo-kqueue", "echo-poll", "echo-select", "threads", "processes"),
            cells=beside,
            rounds=7,
            duration=1.0,
            budget=5 * MINUTE,
            baseline=ours,
        ),
        Plan(
            preset="churn",
            contestants=(ours, lean, buffered, stock, "asyncio-protocol", "uvloop-protocol", "threads", "processes"),
            cells=tuple(evolve(USUAL, churn=churn) for churn in ("fin", "reset")),
            rounds=7,
            duration=1.0,
            budget=5 * MINUTE,
            baseline=ours,
        ),
    )

"""
The report of a load as a JSON document, by the schema ``schema/load-2.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from echoproto.load.outcome import Outcome
from echoproto.load.search import Found
from echoproto.load.summary import Summary, Times
from echoproto.load.workload import Workload

SCHEMA_VERSION = 2
"""Version of the schema; it rises when a key goes or changes its meaning, not when a key is added."""


@frozen
class Report:
    """
    The data of a report about a load.

    :ivar environment: the environment of the measurement, as names and values.
    :ivar found: result of a search for a rate, or ``None``; the other attributes describe its last step that held, or
        its last step.
    """

    workload: Workload
    outcome: Outcome
    summary: Summary
    environment: Mapping[str, str | int]
    found: Found | None = None


def document(report: Report) -> dict[str, Any]:
    """Return the report for JSON; the suffix of a name gives its unit: ``_us``, ``_seconds``, ``_bytes``."""
    workload, outcome, summary = report.workload, report.outcome, report.summary
    return {
        "schema_version": SCHEMA_VERSION,
        "target": str(workload.target),
        "verdict": summary.verdict,
        "exit_status": summary.exit_status,
        "partial": outcome.interrupted,
        "echoes_per_second": None if summary.brief else round(summary.echoes_per_second, 3),
        "service_time_us": _times(summary.service_time),
        "response_time_us": _times(summary.response_time),
        "connect_time_us": _times(summary.connect_time),
        "first_byte_time_us": _times(summary.first_byte_time),
        "lag_us": _times(summary.lag),
        "client_bound": summary.client_bound,
        "client_cpu_share": None if summary.brief else round(summary.client_cpu_share, 4),
        "server_cpu_us_per_echo": summary.server_cpu_us_per_echo,
        "seed": workload.seed,
        "elapsed_seconds": round(outcome.elapsed, 6),
        "echoes": outcome.messages,
        "warmup_echoes": outcome.warmup_messages,
        "unsent": outcome.unsent,
        "connected": outcome.connected,
        "bytes": {name: getattr(outcome, name) for name in ("sent", "acked", "lost", "unknown")},
        "findings": dict(outcome.findings),
        "first_findings": list(outcome.first_findings),
        "errors": dict(outcome.errors),
        "error_reasons": dict(outcome.reasons),
        "own_limits": dict(outcome.own_limits),
        "notes": list(summary.notes),
        "timeline": [
            {
                "second": number,
                "echoes": second.echoes,
                "errors": second.errors,
                "p50_us": second.times.percentile(50) if second.times.count else None,
                "p99_us": second.times.percentile(99) if second.times.count else None,
            }
            for number, second in sorted(outcome.seconds.items())
        ],
        "search": _found(report.found),
        "workload": _workload(workload),
        "environment": dict(report.environment),
    }


def _times(times: Times | None) -> dict[str, int] | None:
    return None if times is None else {"count": times.count, **times.percentiles, "clamped": times.clamped}


def _found(found: Found | None) -> dict[str, Any] | None:
    if found is None:
        return None
    steps = [{"rate": step.rate, "result": step.result.value, "time_us": step.time} for step in found.steps]
    return {"aim": found.aim.text, "rate": found.rate, "client_bound": found.client_bound, "steps": steps}


def _workload(workload: Workload) -> dict[str, Any]:
    return {
        "transport": workload.target.transport.value,
        "connections": workload.connections,
        "smallest_size_bytes": workload.smallest,
        "largest_size_bytes": workload.largest,
        "duration_seconds": workload.duration,
        "count": workload.count,
        "warmup_seconds": workload.warmup,
        "idle": workload.idle,
        "window": workload.window,
        "rate": workload.rate,
        "arrivals": workload.arrivals.value if workload.rate is not None else None,
        "churn": workload.churn.value if workload.churn else None,
        "half_close": workload.half_close,
        "processes": workload.processes,
        "greeting": None if workload.greeting is None else workload.greeting.decode("utf-8", "backslashreplace"),
        "proxy": workload.proxy,
        "verify": workload.verify,
        "server_pid": workload.server_pid,
    }

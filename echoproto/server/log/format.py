"""
Lines of log events: text for people, or JSON for programs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from twisted.logger import LogEvent, formatEvent, formatEventAsClassicLogText
from twisted.python.failure import Failure

from echoproto.errors import one_line

OURS = "echoproto"
"""Namespace of the events of this package, which have names of their own."""

LEGACY_KEYS = frozenset({"message", "time", "system", "format", "isError", "failure", "logLevel", "why"})
"""Keys that Twisted's older log puts into an event."""

PLACES = 3
"""Places of a traceback that are named where it is not shown."""

Formatter = Callable[[LogEvent], "str | None"]
"""Function that formats an event as a line, with its end; ``None`` for an event without text."""


def text_line(event: LogEvent) -> str | None:
    """Format an event as twistd does: time, origin and message; a traceback follows in lines that begin with a tab."""
    return formatEventAsClassicLogText(event)


def json_line(event: LogEvent) -> str | None:
    """
    Format an event as one flat JSON object.

    ``time`` (ISO 8601, UTC, with milliseconds), ``level`` and ``event``, which is a name, come first, then the fields
    of the event. An event of another package is called ``message`` or ``exception``, and has the fields ``logger`` and
    ``message``; an exception adds ``exception``, and ``traceback`` or ``places``.
    """
    failure = failure_of(event)
    found: dict[str, object] = {
        "time": _time(event["log_time"]),
        "level": getattr(event.get("log_level"), "name", "info"),
    }
    if "event" in event:
        found.update({key: event[key] for key in ("event", *event) if key == "why" or not _is_of_log(key)})
    else:
        text = message_of(event)
        if not text and failure is None:
            return None
        found["event"] = "message" if failure is None and "exception" not in event else "exception"
        found.update({key: event[key] for key in ("worker", "exception", "places") if key in event})
        found.update(logger=event.get("log_namespace", "-"), message=text)
    if failure is not None:
        found.update(exception=exception_of(failure), traceback=failure.getTraceback())
    return json.dumps(found, default=_as_text, separators=(",", ":")) + "\n"


def _is_of_log(key: str) -> bool:
    return key.startswith("log_") or key in LEGACY_KEYS


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def failure_of(event: LogEvent) -> Failure | None:
    """Return the failure of an event of Twisted's newer or older log."""
    found = event.get("log_failure") or event.get("failure")
    return found if isinstance(found, Failure) else None


def message_of(event: LogEvent) -> str:
    """Return the message of an event, without the traceback that Twisted's older log puts into it."""
    if "log_message" in event:
        return str(event["log_message"])
    return str(event.get("why") or "Unhandled Error") if "failure" in event else formatEvent(event)


def exception_of(failure: Failure) -> str:
    """Return the type and the text of an exception, in a line."""
    said = failure.getErrorMessage()
    name = getattr(failure.type, "__name__", "Exception")
    return one_line(f"{name}: {said}" if said and said != name else name)


def places_of(failure: Failure, count: int = PLACES) -> str:
    """Name the places of a traceback, the innermost first."""
    frames = [*failure.frames][: -count - 1 : -1]
    return " < ".join(f"{frame[1].rpartition('/')[2]}:{frame[2]} {frame[0]}" for frame in frames)

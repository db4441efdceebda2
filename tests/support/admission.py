"""An `Admission` for tests of its callers."""

from typing import Any

from echoproto.server.counters import Counters
from echoproto.server.limits.admission import Admission
from echoproto.server.log.budget import EventLog
from echoproto.server.settings.table import Settings


def admission(clock: Any, settings: Settings | None = None, connections: Any = ()) -> Admission:
    """Make an admission with its own counters."""
    return Admission(settings or Settings(), clock, connections, Counters(), EventLog(clock))

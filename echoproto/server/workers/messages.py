"""
What the service and its workers tell each other: lines of a kind, and content in JSON.

To a worker, by its standard input: `Start` first, then `SETTINGS`, `CERTIFICATES`, `TELL` and `ABORT`; it stops at the
end of the stream, since then whoever has started it is gone. From it, by a pipe of its own: `READY`, `COUNTERS`,
`TOLD`, `RELOADED`, `LOG`, `STOPPING`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import asdict, frozen
from twisted.logger import LogEvent, eventAsJSON, eventFromJSON

from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock

SETTINGS = "settings"
"""Hold to these from here on."""
CERTIFICATES = "certificates"
"""Use these from here on; with a number, to be told in `RELOADED`."""
TELL = "tell"
"""Say what the counters are, as `TOLD`."""
ABORT = "abort"
"""End all connections at once."""

READY = "ready"
"""It serves; with its process ID."""
COUNTERS = "counters"
"""What it has counted up to now, said now and then; ``TOLD`` is the same as an answer."""
TOLD = "told"
STOPPING = "stopping"
"""It is about to accept nobody any more, and to wait for its connections to end: time for its successor to start."""
RELOADED = "reloaded"
"""It uses the certificates of that number, and holds to the settings that it was told before."""
LOG = "log"
"""An event for the log; see `event_line`."""

OURS = "echoproto"
"""The namespace of what this package logs."""

FAILURE_TEXT = "failure_text"


def line(kind: str, content: object = None) -> bytes:
    """A message, as it is sent."""
    return f"{kind} {json.dumps(content)}\n".encode("ascii")


def parse(message: bytes) -> tuple[str, str]:
    """The kind of a message, and its content, in JSON still."""
    kind, _, content = message.decode("ascii").partition(" ")
    return kind, content


def event_line(event: LogEvent) -> bytes:
    """A message with an event of the log."""
    failure = event.get("log_failure")
    if failure is not None:  # of which the text is lost as JSON
        event = {**event, FAILURE_TEXT: failure.getErrorMessage()}
    return f"{LOG} {eventAsJSON(event)}\n".encode("ascii")


def event_from(content: str) -> LogEvent:
    """The event in such a message."""
    event = eventFromJSON(content)
    if event.get("log_namespace") == OURS:
        # Its fields are all there, and can be formatted as they are to be; Twisted's own copy has lost the formats.
        event.pop("log_flattened", None)
    if FAILURE_TEXT in event:
        event["log_failure"].value = event.pop(FAILURE_TEXT)
    return event


class Lines:
    """Puts lines together from portions of a stream."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> list[bytes]:
        """
        Take what has come.

        :return: the lines that are whole by now, without their ends.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    def end(self) -> list[bytes]:
        """The last line, if it had no end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


@frozen
class Start:
    """
    What a worker has to know before all else.

    :ivar number: which one it is, from 0.
    :ivar workers: how many there are.
    :ivar reactor: the name of the one to run on.
    :ivar sockets: how many it is handed.
    :ivar settings: of the whole service.
    :ivar certificates: of each TLS listener.
    """

    number: int
    workers: int
    reactor: str
    sockets: int
    settings: Settings
    certificates: Sequence[Sequence[PEMBlock]] = ()

    def to_json(self) -> bytes:
        """As one line."""
        fields = asdict(self, recurse=False)
        fields |= {"settings": asdict(self.settings), "certificates": certificates_to_send(self.certificates)}
        return json.dumps(fields).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Start:
        """The opposite of `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        fields["settings"] = settings_from(fields["settings"])
        fields["certificates"] = certificates_from(fields["certificates"])
        return cls(**fields)


def settings_from(fields: dict[str, Any]) -> Settings:
    """Settings that were sent as JSON, which has no tuples."""
    return Settings(**fields | {"listen": tuple(fields["listen"])})


def certificates_to_send(certificates: Sequence[Sequence[PEMBlock]]) -> list[list[tuple[str, str, str]]]:
    """The certificates and keys of each TLS listener, as JSON has them: PEM is ASCII, and stays as it is if not."""
    return [[(each.file, each.label, each.content.decode("latin-1")) for each in blocks] for blocks in certificates]


def certificates_from(sent: list[list[list[str]]]) -> tuple[tuple[PEMBlock, ...], ...]:
    """The opposite of `certificates_to_send`."""
    return tuple(
        tuple(PEMBlock(file, label, content.encode("latin-1")) for file, label, content in blocks) for blocks in sent
    )

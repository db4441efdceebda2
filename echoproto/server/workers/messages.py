"""
Messages between the service and its workers: lines of a kind, and content in JSON.

A worker is sent `Start` on its standard input, and then orders: `SETTINGS`, `CERTIFICATES`, `COUNT`, `ABORT`. It
answers each with `DONE`, in their order, and stops at the end of the stream, which is the end of the service. Through a
pipe of its own it sends `READY`, `COUNTERS`, `DONE`, `LOG`, `STOPPING`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import asdict, frozen
from twisted.logger import LogEvent, eventAsJSON, eventFromJSON, globalLogPublisher

from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock

SETTINGS = "settings"
"""Order to use other settings."""
CERTIFICATES = "certificates"
"""Order to use other certificates."""
COUNT = "count"
"""Order to report the counters, if they have changed."""
ABORT = "abort"
"""Order to end all connections at once."""

READY = "ready"
"""Report of a worker that serves, with its process ID."""
COUNTERS = "counters"
"""Report of everything counted since the start of the process."""
STOPPING = "stopping"
"""Report of a worker that is about to accept no more connections: time for its successor to start."""
DONE = "done"
"""Answer to an order that is carried out."""
LOG = "log"
"""Event for the log; see `event_line`."""

OURS = "echoproto"
"""Namespace of this package's log events."""

FAILURE_TEXT = "failure_text"
"""Field of an event for the text of its failure, which is lost as JSON."""


def line(kind: str, content: object = None) -> bytes:
    """Encode a message."""
    return f"{kind} {json.dumps(content)}\n".encode("ascii")


def parse(message: bytes) -> tuple[str, str]:
    """Split a message into its kind and its content, which stays JSON."""
    kind, _, content = message.decode("ascii").partition(" ")
    return kind, content


def event_line(event: LogEvent) -> bytes:
    """Encode a message with an event of the log."""
    failure = event.get("log_failure")
    if failure is not None:
        event = {**event, FAILURE_TEXT: failure.getErrorMessage()}
    return f"{LOG} {eventAsJSON(event)}\n".encode("ascii")


def event_from(content: str) -> LogEvent:
    """Decode the event of such a message."""
    event = eventFromJSON(content)
    if event.get("log_namespace") == OURS:
        # Its fields are complete, and keep their formats; Twisted's own copy has lost the formats.
        event.pop("log_flattened", None)
    if FAILURE_TEXT in event:
        event["log_failure"].value = event.pop(FAILURE_TEXT)
    return event


def publish(worker: int, content: str) -> None:
    """
    Put an event of a worker into the log of this process, with the worker's number.

    :param content: of a message with an event.
    """
    event = event_from(content)
    level = event.get("log_level")
    system = f"{event.get('log_namespace')}#{getattr(level, 'name', '-')}"
    globalLogPublisher({**event, "log_system": f"{system} worker {worker}", "worker": worker})


class Lines:
    """Lines of a stream that is read in portions."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> list[bytes]:
        """
        Take the next portion.

        :return: the lines that it completes, without their ends.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    def end(self) -> list[bytes]:
        """Return the last line, if it had no end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


@frozen
class Start:
    """
    First message to a worker.

    :ivar number: its number, from 0.
    :ivar workers: number of workers.
    :ivar reactor: name of the reactor.
    :ivar sockets: number of sockets that it is handed.
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
        """Encode the message as one line."""
        fields = asdict(self, recurse=False)
        fields |= {"settings": asdict(self.settings), "certificates": certificates_to_send(self.certificates)}
        return json.dumps(fields).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Start:
        """Decode a message of `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        fields["settings"] = settings_from(fields["settings"])
        fields["certificates"] = certificates_from(fields["certificates"])
        return cls(**fields)


def settings_from(fields: dict[str, Any]) -> Settings:
    """Decode settings from JSON, which has no tuples."""
    return Settings(**fields | {"listen": tuple(fields["listen"])})


def certificates_to_send(certificates: Sequence[Sequence[PEMBlock]]) -> list[list[tuple[str, str, str]]]:
    """Encode the certificates and keys of each TLS listener for JSON, without loss even if they are not ASCII."""
    return [[(each.file, each.label, each.content.decode("latin-1")) for each in blocks] for blocks in certificates]


def certificates_from(sent: list[list[list[str]]]) -> tuple[tuple[PEMBlock, ...], ...]:
    """Decode the result of `certificates_to_send`."""
    return tuple(
        tuple(PEMBlock(file, label, content.encode("latin-1")) for file, label, content in blocks) for blocks in sent
    )

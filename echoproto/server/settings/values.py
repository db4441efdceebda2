"""
Kinds of values of settings, each with a parser for words of the command line and a check of values from TOML.

Both raise `ValueError` for an invalid value; ``allowed`` describes the valid ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, ClassVar, Protocol

from attrs import frozen

ENDPOINTS = ("tcp", "tcp6", "unix", "systemd", "ssl", "tls")
"""Types of endpoint strings that can be served without losing a byte; others are refused."""

USUAL_PORT = 8888

AUTO = "auto"
"""Word in place of a number that the machine suggests."""


class Kind(Protocol):
    """Parser of the values of a setting."""

    @property
    def allowed(self) -> str:
        """The valid values in words, to follow "must be"."""

    @property
    def types(self) -> tuple[type, ...]:
        """The types of valid values from the TOML reader."""

    @property
    def example(self) -> object:
        """A valid value."""

    def from_text(self, text: str) -> object:
        """Read a word of the command line."""

    def from_toml(self, value: object) -> object:
        """Check a value that the TOML reader gave."""


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


@frozen
class WholeNumber:
    """A whole number, both bounds included."""

    types: ClassVar[tuple[type, ...]] = (int,)

    minimum: int
    maximum: int

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.minimum} to {self.maximum}"

    @property
    def example(self) -> int:
        return max(self.minimum, min(USUAL_PORT, self.maximum))

    def from_text(self, text: str) -> int:
        value = int(text)
        _require(str(value) == text)  # int() also accepts " 8", "+8", "8_000" and other scripts' digits
        return self.from_toml(value)

    def from_toml(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError
        _require(self.minimum <= value <= self.maximum)
        return value


@frozen
class Text:
    """Text of limited length, taken literally."""

    types: ClassVar[tuple[type, ...]] = (str,)
    example: ClassVar[str] = "Hello"

    maximum: int

    @property
    def allowed(self) -> str:
        return f"text of up to {self.maximum} characters"

    def from_text(self, text: str) -> str:
        return self.from_toml(text)

    def from_toml(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        _require(len(value) <= self.maximum)
        return value


@frozen
class Choice:
    """One of a few words."""

    types: ClassVar[tuple[type, ...]] = (str,)

    words: Sequence[str]

    @property
    def allowed(self) -> str:
        return " or ".join(self.words)

    @property
    def example(self) -> str:
        return self.words[0]

    def from_text(self, text: str) -> str:
        return self.from_toml(text)

    def from_toml(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        _require(value in self.words)
        return value


@frozen
class NumberOrAuto(WholeNumber):
    """A whole number, or ``auto`` for the number that this machine suggests."""

    types: ClassVar[tuple[type, ...]] = (int, str)

    @property
    def allowed(self) -> str:
        return f"{super().allowed}, or auto"

    def from_text(self, text: str) -> Any:
        return text if text == AUTO else super().from_text(text)

    def from_toml(self, value: object) -> Any:
        return value if value == AUTO else super().from_toml(value)


@frozen
class Switch:
    """On or off."""

    types: ClassVar[tuple[type, ...]] = (bool,)
    example: ClassVar[bool] = True

    allowed: str = "on or off (in a file: true or false)"

    def from_text(self, text: str) -> bool:
        words = {"on": True, "true": True, "off": False, "false": False}
        _require(text in words)
        return words[text]

    def from_toml(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value


@frozen
class Address:
    """An IP address of this host; empty for all addresses."""

    types: ClassVar[tuple[type, ...]] = (str,)
    example: ClassVar[str] = "127.0.0.1"

    allowed: str = (
        'an IP address, such as 127.0.0.1 or ::1; "0.0.0.0" for all of IPv4, "::" for all of IPv6, empty for both'
    )

    def from_text(self, text: str) -> str:
        return self.from_toml(text)

    def from_toml(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        if value:
            ip_address(value)
        return value


@frozen
class Mode:
    """Permissions of a file; in TOML as text, since a number there would be decimal."""

    types: ClassVar[tuple[type, ...]] = (str,)
    example: ClassVar[str] = "660"

    allowed: str = "three octal digits, such as 660 (in a file: as text)"

    def from_text(self, text: str) -> str:
        return self.from_toml(text)

    def from_toml(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        _require(re.fullmatch("0?[0-7]{3}", value) is not None)
        return value[-3:]


@frozen
class Owner:
    """Owner of a file; the system checks later that the user exists."""

    types: ClassVar[tuple[type, ...]] = (str,)
    example: ClassVar[str] = "echo:echo"

    allowed: str = "an owner as USER, USER:GROUP or :GROUP, names or numbers"

    def from_text(self, text: str) -> str:
        return self.from_toml(text)

    def from_toml(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        _require(re.fullmatch(r"([^\s:]+)?(:[^\s:]+)?", value) is not None)
        return value


@frozen
class Endpoints:
    """A list of Twisted endpoint strings; on the command line, one at a time."""

    types: ClassVar[tuple[type, ...]] = (list,)
    example: ClassVar[tuple[str, ...]] = ("tcp:8888:interface=127.0.0.1",)

    allowed: str = (
        f"an endpoint string of type {', '.join(ENDPOINTS)}, such as tcp:8888:interface=127.0.0.1 "
        "(in a file: an array of such strings)"
    )

    def from_text(self, text: str) -> tuple[str, ...]:
        return self.from_toml([text])

    def from_toml(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError
        for description in value:
            _require(isinstance(description, str) and re.match(r"[a-z0-9]+(?=:)", description) is not None)
            _require(description.split(":", 1)[0] in ENDPOINTS)
        return tuple(value)

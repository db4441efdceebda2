"""
The kinds of value that a setting can have: how each is read from a word of the command line and from TOML.

Both readers raise `ValueError` for what is not allowed; what is allowed is said by ``allowed``, in words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, ClassVar, Protocol

from attrs import frozen

ENDPOINTS = ("tcp", "tcp6", "unix", "systemd", "ssl", "tls")
"""The endpoint strings that can be served without losing a byte; others are refused."""

USUAL_PORT = 8888

AUTO = "auto"
"""In place of a number, where the machine suggests one."""


class Kind(Protocol):
    """How the values of a setting are read."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""

    @property
    def types(self) -> tuple[type, ...]:
        """The types that a value of the TOML reader can have, allowed or not."""

    @property
    def example(self) -> object:
        """A value that is allowed."""

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
        _require(str(value) == text)  # int() also takes " 8", "+8", "8_000" and other scripts' digits
        return self.from_toml(value)

    def from_toml(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError
        _require(self.minimum <= value <= self.maximum)
        return value


@frozen
class Text:
    """Text of limited length, taken as it stands."""

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
    """A whole number, or ``auto`` for the one that this machine suggests."""

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
    """An IP address of this host; empty for all of them."""

    types: ClassVar[tuple[type, ...]] = (str,)
    example: ClassVar[str] = "127.0.0.1"

    allowed: str = (
        'an IP address such as 127.0.0.1 or ::1; "0.0.0.0" is all of IPv4, "::" all of IPv6, empty all of both'
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
    """Permissions of a file; a number of a TOML file would be a decimal one, which nobody means."""

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
    """Whom a file is to belong to; whether there is such a user is for the system to say."""

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
        f"an endpoint string that begins with {', '.join(ENDPOINTS)}, such as tcp:8888:interface=127.0.0.1 "
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

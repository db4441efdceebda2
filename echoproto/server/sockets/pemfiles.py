"""
PEM files of a TLS endpoint, and the blocks in them.

Nothing here knows of certificates, OpenSSL or Twisted.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from typing import Protocol

from attrs import field, frozen
from typing_extensions import override

from echoproto.errors import ConfigurationError
from echoproto.server.paths import absolute

SUFFIX = ".pem"
"""End of the names of files in a folder that are read."""

MAX_FILE_SIZE = 16 << 20
"""Maximum size in bytes; the certificates of all public authorities take a quarter of a MiB."""

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
"""A block of PEM, with its label (RFC 7468)."""

BEGIN = re.compile(rb"^-----BEGIN ", re.MULTILINE)


@frozen
class PEMBlock:
    """
    One block of a PEM file.

    :ivar file: name of the file, for messages.
    :ivar label: its kind, such as ``CERTIFICATE``.
    :ivar content: the whole block.
    """

    file: str
    label: str
    content: bytes


class PEMSource(Protocol):
    """Source of PEM files, which may change."""

    def __str__(self) -> str:
        """Return the name for messages."""

    def read(self) -> list[PEMBlock]:
        """
        Read the present content.

        :return: the blocks of all files, in the order of the files.
        :raise ConfigurationError: with the file that can't be used.
        """


@frozen
class PEMFolder(PEMSource):
    """
    The files of a folder that end in ``.pem``, in the order of their names, without folders in it.

    :ivar path: of the folder, as it was given; it stays valid when the process changes to another folder.
    """

    path: str
    _at: str = field(init=False)

    @_at.default
    def _absolute(self) -> str:
        return absolute(self.path)

    def __str__(self) -> str:
        return self.path

    @override
    def read(self) -> list[PEMBlock]:
        try:
            names = sorted(name for name in os.listdir(self._at) if name.endswith(SUFFIX))
        except OSError as problem:
            raise ConfigurationError(f"{self.path}: {problem.strerror}") from problem
        if not names:
            raise ConfigurationError(f"{self.path}: holds no {SUFFIX} file with a certificate and its key")
        return [
            block
            for name in names
            for block in read_blocks(os.path.join(self.path, name), at=os.path.join(self._at, name))
        ]


@frozen
class PEMFiles(PEMSource):
    """
    Files by name.

    :ivar paths: as they were given; each is read once.
    """

    paths: Sequence[str]
    _at: Sequence[str] = field(init=False)

    @_at.default
    def _absolute(self) -> Sequence[str]:
        return [absolute(path) for path in self.paths]

    def __str__(self) -> str:
        return ", ".join(dict.fromkeys(self.paths))

    @override
    def read(self) -> list[PEMBlock]:
        files = dict(zip(self._at, self.paths, strict=True))
        return [block for at, path in files.items() for block in read_blocks(path, at=at)]


def read_blocks(path: str, *, at: str) -> list[PEMBlock]:
    """
    Read the blocks of one file.

    :param path: its name, for messages.
    :param at: where it is.
    :raise ConfigurationError: if it can't be read, holds no block, or one without an end.
    """
    try:
        content = _read(at)
    except OSError as problem:
        raise ConfigurationError(f"{path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise ConfigurationError(f"{path}: {problem}") from problem
    if not content.strip():
        raise ConfigurationError(f"{path}: is empty")
    blocks = [PEMBlock(path, found[1].decode("ascii"), found[0]) for found in BLOCK.finditer(content)]
    if len(BEGIN.findall(content)) > len(blocks):
        raise ConfigurationError(f"{path}: is cut short: a block of PEM has no end")
    if not blocks:
        raise ConfigurationError(f"{path}: holds neither a certificate nor a private key in PEM format")
    return blocks


def _read(path: str) -> bytes:
    """Read a regular file; a pipe, such as ``mkfifo`` makes, would never end."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is not a regular file")
        content = file.read(MAX_FILE_SIZE + 1)
    if len(content) > MAX_FILE_SIZE:
        raise ValueError(f"is larger than {MAX_FILE_SIZE >> 20} MiB")
    return content

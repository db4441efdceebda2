"""
The text of a file that a user names: results or a plan.
"""

from __future__ import annotations

import os

from echoproto.errors import ConfigurationError


def read_text(path: str, most: int) -> str:
    """
    Read a file of UTF-8 text.

    A pipe is read, too, such as that of ``<(zcat results.json.gz)``; a named one without a writer is empty.

    :param most: bytes that it may have.
    :raise OSError: if it can't be read.
    :raise ConfigurationError: if it has more bytes.
    :raise ValueError: if it is not UTF-8.
    """
    # Without O_NONBLOCK, to open a named pipe waits for a writer, who may never come.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        os.set_blocking(file.fileno(), True)
        large = os.fstat(file.fileno()).st_size > most
        content = b"" if large else file.read(most + 1)
    if large or len(content) > most:
        raise ConfigurationError(f"{path}: is larger than {most >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error

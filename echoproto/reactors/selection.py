"""
The names of reactors: which there are, which of them this platform has, which is meant, and installing it.

The names are those of ``twistd --help-reactors`` (every `IReactorInstaller` plugin), and ``auto``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

from attrs import frozen
from twisted.application.reactors import Reactor, getReactorTypes, installReactor
from twisted.internet.base import ReactorBase
from twisted.python.reflect import namedModule

from echoproto.errors import ConfigurationError, UnavailableError, nearest, one_line, quoted

AUTO = "auto"
INSTALLED = "twisted.internet.reactor"
"""The module that importing, or installing a reactor, puts into ``sys.modules``."""


ONLY_BSD = "only on BSD and macOS"
ONLY_LINUX = "only on Linux"
NOT_ON_MACOS = "only where Python has poll(2), which it has not on macOS"

REASONS = {
    "kqueue": ONLY_BSD,
    "epoll": ONLY_LINUX,
    "poll": NOT_ON_MACOS,
    "cf": "only on macOS, with pyobjc-framework-CFNetwork",
    "win32": "only on Windows, with pywin32",
    "iocp": "only on Windows, with pywin32 and twisted-iocpsupport",
    "gi": "needs PyGObject",
    "gtk3": "needs PyGObject",
    "gtk2": "needs PyGTK, which is for Python 2",
    "glib2": "needs PyGTK, which is for Python 2",
    "wx": "needs wxPython",
}
"""Reasons for which Twisted's reactors can't be imported, by their names."""


@frozen
class Candidate:
    """
    A reactor that may be asked for.

    :ivar name: what it is called on the command line.
    :ivar description: what its plugin says of it.
    :ivar module: where it really lives (``default`` is another one's second name); empty if it can't be imported.
    :ivar class_name: its class; empty if it can't be imported.
    :ivar why_not: why this platform lacks it; empty if it can be imported.
    """

    name: str
    description: str
    module: str = ""
    class_name: str = ""
    why_not: str = ""


def auto_name(platform: str = sys.platform) -> str:
    """
    What ``auto`` stands for.

    :param platform: as in `sys.platform`.
    :return: ``kqueue`` on BSD and macOS, ``epoll`` on Linux, else ``poll``.
    """
    if platform == "darwin" or "bsd" in platform or platform.startswith("dragonfly"):
        return "kqueue"
    return "epoll" if platform.startswith(("linux", "android")) else "poll"


def _installers() -> dict[str, Reactor]:
    """All plugins by name; of two with one name, the first is what Twisted would install."""
    found: dict[str, Reactor] = {}
    for installer in getReactorTypes():
        if isinstance(installer, Reactor):  # the one kind that tells its module before it installs
            found.setdefault(installer.shortName, installer)
    return found


def _look(installer: Reactor) -> Candidate:
    """Find out whether a reactor can be used here, by importing it as ``twistd --help-reactors`` does."""
    name, description = installer.shortName, installer.description
    try:
        with warnings.catch_warnings():  # to ask what there is is not yet to use what is deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            module = namedModule(namedModule(installer.moduleName).install.__module__)
    except Exception as error:  # whatever a foreign module raises as it is imported is the answer
        return Candidate(name, description, why_not=_reason(name, error))
    classes = [
        found.__name__
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, ReactorBase) and found.__module__ == module.__name__
    ]
    return Candidate(name, description, module.__name__, classes[-1] if classes else "")


def _reason(name: str, error: Exception) -> str:
    """Explain why a reactor is missing: the platform it belongs to, if known, and the missing module."""
    said = one_line(str(error) or type(error).__name__)
    if name not in REASONS:
        return said
    return f"{said} ({REASONS[name]})" if isinstance(error, ModuleNotFoundError) else REASONS[name]


def candidates() -> list[Candidate]:
    """All reactors that may be asked for, by name, each with what this platform says of it."""
    return [_look(installer) for _, installer in sorted(_installers().items())]


def find(name: str) -> Candidate:
    """
    The reactor that a name means on this platform.

    :param name: one of ``twistd --help-reactors``, or ``auto``.
    :raise ConfigurationError: if there is no such name.
    :raise UnavailableError: if this platform lacks that reactor.
    """
    wanted = auto_name() if name == AUTO else name
    installers = _installers()
    if wanted not in installers:
        hint = nearest(wanted, [AUTO, *installers])
        raise ConfigurationError(f"there is no reactor {quoted(name)}{hint}; available are {', '.join(_usable())}")
    found = _look(installers[wanted])
    if found.why_not:
        raise UnavailableError(
            f"the reactor {wanted!r} is not available here ({sys.platform}): {found.why_not}; "
            f"available are {', '.join(_usable())}"
        )
    return found


def _usable() -> Iterator[str]:
    yield AUTO
    yield from (candidate.name for candidate in candidates() if not candidate.why_not)


def name_of(reactor: object) -> str:
    """
    What an installed reactor is called.

    :return: the name of the plugin that installs it, or else the name of its class.
    """
    for name, installer in _installers().items():
        if installer.moduleName == type(reactor).__module__:
            return name
    return type(reactor).__name__


def settle(name: str) -> str:
    """
    See to it that the reactor of this process is the one that is asked for: install it, or agree with what is there.

    :param name: one of ``twistd --help-reactors``, or ``auto``, which agrees with any that is installed.
    :return: the name of the reactor that is installed now.
    :raise ConfigurationError: if there is no such name.
    :raise UnavailableError: if this platform lacks that reactor, or another one is installed already.
    """
    if INSTALLED in sys.modules:
        installed = sys.modules[INSTALLED]
        if name != AUTO and find(name).module != type(installed).__module__:
            raise UnavailableError(
                f"the reactor {name!r} is asked for, but {name_of(installed)!r} is installed already "
                "(by twistd's own --reactor, or by a plugin that imports the reactor)"
            )
        return name_of(installed)
    return name_of(installReactor(find(name).name))

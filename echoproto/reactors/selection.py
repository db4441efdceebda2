"""
Selection of a reactor by name: the known names, their availability on this platform, and the installation.

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
"""Module that the installation of a reactor adds to ``sys.modules``."""


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
"""Reasons for a failed import of Twisted's reactors, by name."""


@frozen
class Candidate:
    """
    A reactor to choose from.

    :ivar name: its name on the command line.
    :ivar description: the description of its plugin.
    :ivar module: the module of its class (``default`` is an alias of another reactor); empty if it can't be imported.
    :ivar class_name: its class; empty if it can't be imported.
    :ivar why_not: the reason why this platform lacks it; empty if it can be imported.
    """

    name: str
    description: str
    module: str = ""
    class_name: str = ""
    why_not: str = ""


def auto_name(platform: str = sys.platform) -> str:
    """
    Return the reactor that ``auto`` stands for.
    :param platform: as in `sys.platform`.
    :return: ``kqueue`` on BSD and macOS, ``epoll`` on Linux, else ``poll``.
    """
    if platform == "darwin" or "bsd" in platform or platform.startswith("dragonfly"):
        return "kqueue"
    return "epoll" if platform.startswith(("linux", "android")) else "poll"


def _installers() -> dict[str, Reactor]:
    """Return all plugins by name; of two with one name, the first, which Twisted would install."""
    found: dict[str, Reactor] = {}
    for installer in getReactorTypes():
        if isinstance(installer, Reactor):  # the only kind that names its module before the installation
            found.setdefault(installer.shortName, installer)
    return found


def _look(installer: Reactor) -> Candidate:
    """Import a reactor, as ``twistd --help-reactors`` does, to see if it is available here."""
    name, description = installer.shortName, installer.description
    try:
        with warnings.catch_warnings():  # listing a deprecated reactor does not use it yet
            warnings.simplefilter("ignore", DeprecationWarning)
            module = namedModule(namedModule(installer.moduleName).install.__module__)
    except Exception as error:  # a foreign module may raise anything on import, which is the reason then
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
    """Return all reactors, sorted by name, each with its availability on this platform."""
    return [_look(installer) for _, installer in sorted(_installers().items())]


def find(name: str) -> Candidate:
    """
    Find the reactor of a name on this platform.

    :param name: one of ``twistd --help-reactors``, or ``auto``.
    :raise ConfigurationError: if there is no such reactor.
    :raise UnavailableError: if this platform lacks that reactor.
    """
    wanted = auto_name() if name == AUTO else name
    installers = _installers()
    if wanted not in installers:
        hint = nearest(wanted, [AUTO, *installers])
        raise ConfigurationError(f"no such reactor: {quoted(name)}{hint}; available here: {', '.join(_usable())}")
    found = _look(installers[wanted])
    if found.why_not:
        raise UnavailableError(
            f"the reactor {wanted!r} is not available here ({sys.platform}): {found.why_not}; "
            f"available here: {', '.join(_usable())}"
        )
    return found


def _usable() -> Iterator[str]:
    yield AUTO
    yield from (candidate.name for candidate in candidates() if not candidate.why_not)


def name_of(reactor: object) -> str:
    """
    Return the name of an installed reactor.

    :return: the name of its plugin, or of its class if it has no plugin.
    """
    for name, installer in _installers().items():
        if installer.moduleName == type(reactor).__module__:
            return name
    return type(reactor).__name__


def ensure_reactor(name: str) -> str:
    """
    Install the requested reactor, or check that it is installed.

    :param name: one of ``twistd --help-reactors``, or ``auto``, which accepts any installed reactor.
    :return: the name of the reactor that is installed now.
    :raise ConfigurationError: if there is no such reactor.
    :raise UnavailableError: if this platform lacks that reactor, or a different one is installed already.
    """
    if INSTALLED in sys.modules:
        installed = sys.modules[INSTALLED]
        if name != AUTO and find(name).module != type(installed).__module__:
            raise UnavailableError(
                f"the reactor {name!r} was requested, but {name_of(installed)!r} is already installed "
                "(by twistd's own --reactor, or by a plugin that imports the reactor)"
            )
        return name_of(installed)
    return name_of(installReactor(find(name).name))

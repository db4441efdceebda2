"""
An echo service for Twisted that people can trust.

These names are the public interface for any Twisted program; it needs neither ``twistd`` nor the plugin::

    from twisted.internet import endpoints, reactor
    from echoproto import EchoFactory

    endpoints.serverFromString(reactor, "tcp:8888").listen(EchoFactory())
    reactor.run()
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echoproto.errors import ConfigurationError, EchoError, UnavailableError
    from echoproto.protocol import GREETING, ConnectionObserver, Echo, EchoFactory
    from echoproto.server.sockets.tls import EchoTLS

__version__ = "0.1.0"

__all__ = [
    "GREETING",
    "ConfigurationError",
    "ConnectionObserver",
    "Echo",
    "EchoError",
    "EchoFactory",
    "EchoTLS",
    "UnavailableError",
    "__version__",
]

_HOMES = {
    **dict.fromkeys(("ConfigurationError", "EchoError", "UnavailableError"), "echoproto.errors"),
    **dict.fromkeys(("GREETING", "ConnectionObserver", "Echo", "EchoFactory"), "echoproto.protocol"),
    "EchoTLS": "echoproto.server.sockets.tls",
}


def __getattr__(name: str) -> object:
    """
    Import a public name on first use.

    Without the extra ``tls``, pyOpenSSL can't be imported; and the load generator and the servers to compare with do
    not use Twisted, so that they should not import it.
    """
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

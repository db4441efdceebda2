"""
A throw-away certificate for servers that are compared over TLS.
"""

from __future__ import annotations

from echoproto.errors import ConfigurationError


def make_pem() -> bytes:
    """
    Make a key and a certificate for localhost; nobody trusts its authority, which is forgotten at once.

    :raise ConfigurationError: if the extra for it is not installed.
    """
    try:
        from trustme import CA
    except ImportError as error:
        raise ConfigurationError(
            "TLS needs the extras 'compare' and 'tls': pip install 'echoproto[compare,tls]'"
        ) from error
    issued = CA().issue_cert("localhost")
    return bytes(issued.private_key_and_cert_chain_pem.bytes())

"""
A temporary certificate for the comparison of servers over TLS.
"""

from __future__ import annotations

from echoproto.errors import ConfigurationError


def make_pem() -> bytes:
    """
    Make a key and a certificate for localhost, issued by a temporary authority.

    :raise ConfigurationError: if its extra is not installed, or that of the servers that use it.
    """
    try:
        import OpenSSL  # noqa: F401
        from trustme import CA
    except ImportError as error:
        raise ConfigurationError(
            "TLS needs the extras 'compare' and 'tls': pip install 'echoproto[compare,tls]'"
        ) from error
    issued = CA().issue_cert("localhost")
    return bytes(issued.private_key_and_cert_chain_pem.bytes())

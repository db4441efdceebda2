"""Certificates for tests, issued on demand."""

import datetime

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@frozen
class Issued:
    """A certificate with its key, in PEM and as objects."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def both(self) -> bytes:
        return self.pem + self.key_pem


def issue(
    name: str,
    *names: str,
    issuer: Issued | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
    authority: bool = False,
    days: tuple[int, int] = (-1, 1),
) -> Issued:
    """
    Issue a certificate.

    :param name: its common name.
    :param names: its DNS names.
    :param issuer: its issuer; ``None`` for a self-signed certificate.
    :param key: its key; ``None`` for a new one.
    :param authority: true for an authority, which may sign others.
    :param days: start and end of its validity, in days from now.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False)
    return Issued(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def make_pem(name: str = "localhost") -> bytes:
    """Make a key and a self-signed certificate in one PEM."""
    return issue(name, name).both

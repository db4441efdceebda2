import ssl
import sys
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.run.certificate import make_pem
from echoproto.errors import ConfigurationError


class CertificateTests(SynchronousTestCase):
    def test_a_server_can_use_it(self) -> None:
        """It is for localhost, and another one each time."""
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(make_pem())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
        self.assertNotEqual(make_pem(), make_pem())

    def test_without_an_extra(self) -> None:
        """The reason of the servers, too; none of them could start."""
        for missing in ("trustme", "OpenSSL"):
            with patch.dict(sys.modules, {missing: None}):
                error = self.assertRaises(ConfigurationError, make_pem)
            self.assertEqual(
                str(error), "TLS needs the extras 'compare' and 'tls': pip install 'echoproto[compare,tls]'"
            )

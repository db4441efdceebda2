from OpenSSL.SSL import Error
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.sockets.tlserrors import UNNAMED, is_tls_error, reason_of


def reason(words: object) -> str:
    return reason_of(Error([("SSL routines", "", words)]))


class ReasonOfTests(SynchronousTestCase):
    def test_reasons(self) -> None:
        self.assertEqual(reason("http request"), "http request")
        self.assertEqual(reason("unexpected eof while reading"), "unexpected eof")

    def test_alerts_of_the_peer(self) -> None:
        """Versions of OpenSSL name different versions of TLS in their tables of alerts, without meaning."""
        for version in ("ssl/tls", "sslv3", "tlsv1", "tlsv13"):
            self.assertEqual(reason(f"{version} alert certificate unknown"), "certificate unknown")

    def test_without_a_reason(self) -> None:
        for error in (Error(), Error([]), Error("x"), Error(5), Error([()])):
            self.assertEqual(reason_of(error), UNNAMED)
        self.assertEqual(reason(None), UNNAMED)
        self.assertEqual(reason(""), UNNAMED)

    def test_errors_of_other_kinds(self) -> None:
        self.assertTrue(is_tls_error(Error()))
        self.assertFalse(is_tls_error(ValueError()))

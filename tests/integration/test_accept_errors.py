"""More errors of accept(2), which our own code handles on each reactor alike."""

from tests.integration import test_admission


class MoreAcceptErrorsTests(test_admission.AcceptErrorsTests):
    errors = ("ENOBUFS", "ENOMEM", "ECONNABORTED", "EPERM")

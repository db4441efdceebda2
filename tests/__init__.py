"""The tests of echoproto; ``python -m tests.suite`` runs them on every reactor."""

from hypothesis import settings

# A machine that is busy with something else is no reason for a test to fail.
settings.register_profile("echoproto", deadline=None, max_examples=60, print_blob=True)
settings.load_profile("echoproto")

"""Checks that take long, and are commands: none is part of the suite."""

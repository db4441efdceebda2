"""Has pytest-twisted's ``--reactor`` take every reactor of this platform; loaded with ``-p`` and this module's name."""

from functools import partial

import pytest_twisted
from twisted.internet.base import ReactorBase

from echoproto.reactors import selection

for candidate in selection.candidates():
    if not candidate.why_not:
        pytest_twisted.reactor_installers[candidate.name] = partial(
            pytest_twisted._install_reactor, partial(selection.ensure_reactor, candidate.name), ReactorBase
        )

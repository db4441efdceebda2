"""For pytest only: trial's ``todo`` and ``skip`` are known to it once this is imported (style of `twisted.trial`)."""

import twisted.trial.unittest  # noqa: F401

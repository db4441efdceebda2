"""For pytest only."""

from pathlib import Path

import pytest
import twisted.trial.unittest  # noqa: F401 - which has pytest know trial's todo and skip


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """trial runs its tests in a temporary folder, and makes that of a test's ``mktemp`` in it."""
    monkeypatch.chdir(tmp_path)

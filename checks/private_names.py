"""
Test the private names of Twisted that this project uses against another Twisted.

``python -m checks.private_names [REQUIREMENT]`` installs it into a temporary folder, puts that before the installed
one, and runs `tests.test_private_names`. The default is the lowest version that ``pyproject.toml`` allows; another
requirement of pip is, for example, ``git+https://github.com/twisted/twisted``. Exit status 1 if a name is missing, 2 if
that Twisted can't be installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def lowest(pyproject: str) -> str:
    """
    Return a requirement for the lowest Twisted that is allowed, with its latest corrections.

    :param pyproject: text of ``pyproject.toml``.
    """
    dependencies: list[str] = tomllib.loads(pyproject)["project"]["dependencies"]
    [version] = [found[1] for each in dependencies if (found := re.fullmatch(r"twisted>=([\d.]+)", each))]
    return f"twisted=={version}.*"


def main() -> int:
    """Run the tests; return the exit status."""
    requirement = sys.argv[1] if len(sys.argv) > 1 else lowest((ROOT / "pyproject.toml").read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="twisted-") as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder]
        if subprocess.run([*pip, requirement], check=False).returncode:
            print(f"can't install {requirement}", file=sys.stderr)
            return 2
        environment = {**os.environ, "PYTHONPATH": folder}
        print_version = "import twisted; print('Twisted', twisted.__version__, 'in', *twisted.__path__[:1], flush=True)"
        subprocess.run([sys.executable, "-c", print_version], check=True, env=environment)
        trial = [sys.executable, "-m", "twisted.trial", "--temp-directory", f"{folder}/trial"]
        return subprocess.run([*trial, "tests.test_private_names"], check=False, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())

"""
Build wheel and sdist, and try the wheel as a user would: ``python -m checks.package``.

Both must contain the code byte for byte. The wheel is installed in a clean environment; from ``/``, ``twistd`` must
know ``echo`` and serve it. Then tests with real processes run against that installation, from a folder with nothing
else of the checkout.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

from tests.integration.twistd import Server
from tests.support.clients import exchange
from tests.tallies import read_trial

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGED = ("echoproto", "twisted/plugins")
"""Folders whose files must all be in both, unchanged."""

INSTALLED = [
    f"tests.integration.test_{name}" for name in ("commands", "load_html", "reactor_switch", "serving", "starting")
]
"""Tests of discovery, start and drawing; with the same code, other tests would give the same results."""

MIN_TESTS = 25
"""Minimum number of tests with real processes, since trial passes without any."""

UNWANTED = ("dropin.cache", "twisted/__init__.py", "twisted/plugins/__init__.py", "tests/", "checks/")


def run(*words: str, cwd: str = "/") -> str:
    """Run a command, and return its output."""
    print("$", *words, flush=True)
    ended = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{ended.stdout}\nfailed with status {ended.returncode}")
    return ended.stdout


def build(folder: str) -> tuple[str, str]:
    """Build both; the wheel is built from the sdist, as packagers do."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    [wheel] = [name for name in os.listdir(folder) if name.endswith(".whl")]
    [sdist] = [name for name in os.listdir(folder) if name.endswith(".tar.gz")]
    return os.path.join(folder, wheel), os.path.join(folder, sdist)


def sources() -> dict[str, bytes]:
    """Return the files to package, by name."""
    found = {}
    for top in PACKAGED:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                path = os.path.join(folder, name)
                if not folder.endswith("__pycache__") and name not in UNWANTED:
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, ROOT)] = file.read()
    return found


def check_contents(wheel: str, sdist: str) -> None:
    """Check that both have all files unchanged, and that the wheel has none that would break other packages."""
    with zipfile.ZipFile(wheel) as packed:
        in_wheel = {name: packed.read(name) for name in packed.namelist()}
    with tarfile.open(sdist) as archive:
        files = [(member.name.partition("/")[2], archive.extractfile(member)) for member in archive]
        in_sdist = {name: file.read() for name, file in files if file is not None}
    for name, content in sources().items():
        if not in_wheel.get(name) == in_sdist.get(name) == content:
            sys.exit(f"{name} is missing in the wheel or the sdist, or is another there")
    for name in sorted(in_wheel):
        if any(unwanted in name for unwanted in UNWANTED):
            sys.exit(f"{name} should not be in the wheel")
    print(f"{len(in_wheel)} files in the wheel, {len(in_sdist)} in the sdist")


def check_serving(bin_folder: str) -> None:
    """Check that the installed twistd lists the plugin, and serves by workers, which find the package themselves."""
    helped = run(f"{bin_folder}/twistd", "--help")
    if not re.search(r"(?m)^ +echo +An echo service", helped):
        sys.exit(f"twistd does not list echo:\n{helped}")
    words = ("--port", "0", "--workers", "2")
    server = Server(f"{bin_folder}/twistd", "-n", "echo", *words, cwd="/tmp", env={"PYTHONPATH": ""})
    try:
        server.listening()
        with server.connect() as client:
            if exchange(client, b"hello") != b"Hello\nhello":
                sys.exit("it does not echo")
    finally:
        server.stop()
    print("it serves:", server.lines[-1])


def check_loading(bin_folder: str) -> None:
    """Check the installed load generator on the installed service."""
    server = f"{bin_folder}/twistd -n --pidfile= echo --port {{port}}"
    loaded = run(f"{bin_folder}/echoproto", "load", "--server", server, "--connections", "5", "--count", "1000")
    print("it loads:", next(line for line in loaded.splitlines() if line.startswith("good")))


def check_comparing(bin_folder: str, folder: str) -> None:
    """Check the installed comparison of the installed service with another server."""
    words = ("--contestants", "echo-poll,threads", "--connections", "5", "--duration", "200ms", "--rounds", "1")
    run(f"{bin_folder}/echoproto", "compare", *words, "--quiet", "--output", folder, cwd=folder)
    for name in ("results.json", "report.html"):
        if not os.path.exists(os.path.join(folder, name)):
            sys.exit(f"the comparison has left no {name}")
    print("it compares")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="echo-package-") as folder:
        wheel, sdist = build(os.path.join(folder, "dist"))
        check_contents(wheel, sdist)
        environment = os.path.join(folder, "venv")
        venv.create(environment, with_pip=True)
        bin_folder = os.path.join(environment, "bin")
        pip = (f"{bin_folder}/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, wheel)
        check_serving(bin_folder)
        run(*pip, "echoproto[test]")  # as the commands say when an extra is missing, though it is on no index
        check_loading(bin_folder)
        check_comparing(bin_folder, folder)
        unwanted = shutil.ignore_patterns("__pycache__")  # something else may write there meanwhile
        shutil.copytree(os.path.join(ROOT, "tests"), os.path.join(folder, "run", "tests"), ignore=unwanted)
        output = run(f"{bin_folder}/python", "-m", "twisted.trial", *INSTALLED, cwd=os.path.join(folder, "run"))
        tally = read_trial(output)
        if tally.passed < MIN_TESTS or tally.skipped:
            sys.exit(f"{output}\nonly {tally.passed} tests passed, {tally.skipped} skipped")
        print(tally.passed, "tests of the installed package passed")
        run(*pip, "--force-reinstall", "--no-deps", sdist)
        check_serving(bin_folder)
    print("the package is good")


if __name__ == "__main__":
    main()

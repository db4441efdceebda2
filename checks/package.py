"""
Builds wheel and sdist, and tries the wheel as a user would: ``python -m checks.package``.

Both have to hold the code byte for byte. The wheel is installed in a clean environment; from ``/``, ``twistd`` has to
know ``echo`` and to serve it; then tests with real processes run against that installation, from a folder that holds
nothing else of the checkout.
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
"""Folders of which each file has to be in both, as it is here, where the suite tries it."""

INSTALLED = [
    f"tests.integration.test_{name}" for name in ("commands", "load_html", "reactor_switch", "serving", "starting")
]
"""Tests of how it is found, started and drawn with; since the code is the same, others would come to the same."""

LEAST = 25
"""How many tests with real processes there are at least: trial is content with none."""

UNWANTED = ("dropin.cache", "twisted/__init__.py", "twisted/plugins/__init__.py", "tests/", "checks/")


def run(*words: str, cwd: str = "/") -> str:
    """Run a command, and give what it prints."""
    print("$", *words, flush=True)
    ended = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{ended.stdout}\nfailed with status {ended.returncode}")
    return ended.stdout


def build(folder: str) -> tuple[str, str]:
    """Build both; the wheel is made of the sdist, as those who package for others do it."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    [wheel] = [name for name in os.listdir(folder) if name.endswith(".whl")]
    [sdist] = [name for name in os.listdir(folder) if name.endswith(".tar.gz")]
    return os.path.join(folder, wheel), os.path.join(folder, sdist)


def sources() -> dict[str, bytes]:
    """What is to be packaged, by name."""
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
    """Both have all that is needed, as it is here; the wheel has nothing that would break other packages."""
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
    """Have the installed twistd list the plugin, and serve, by workers, which find the package by themselves."""
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
    """Have the installed load generator load the installed service."""
    server = f"{bin_folder}/twistd -n --pidfile= echo --port {{port}}"
    loaded = run(f"{bin_folder}/echoproto", "load", "--server", server, "--connections", "5", "--count", "1000")
    print("it loads:", next(line for line in loaded.splitlines() if line.startswith("good")))


def check_comparing(bin_folder: str, folder: str) -> None:
    """Have the installed comparison compare the installed service with another server."""
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
        if tally.passed < LEAST or tally.skipped:
            sys.exit(f"{output}\nonly {tally.passed} tests passed, {tally.skipped} skipped")
        print(tally.passed, "tests of the installed package passed")
        run(*pip, "--force-reinstall", "--no-deps", sdist)
        check_serving(bin_folder)
    print("the package is good")


if __name__ == "__main__":
    main()

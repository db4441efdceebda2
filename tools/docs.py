"""
Write the generated parts of the guide: ``python -m tools.docs``.

With ``--check``, it writes no file, and fails if a promise has no proof, or if a part of the guide is out of date.
"""

from __future__ import annotations

import argparse
import os
import re
import sys

from echoproto.server.settings.table import table
from tools.promises import chapter, complaints, read_promises, read_proofs

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs")
OPERATING = os.path.join(FOLDER, "operating.md")
PROMISES = os.path.join(FOLDER, "promises.md")
BEGIN = '<!-- settings: written by "make docs" -->\n'
END = "<!-- end of settings -->\n"


def settings_table() -> str:
    """All settings as a table in Markdown."""
    rows = ["| setting | option | allowed | default | reloaded | |", "|---|---|---|---|---|---|"]
    for setting in table():
        option = f"`--{setting.name}`" + (f", `-{setting.short}`" if setting.short else "")
        cells = (f"`{setting.name}`", option, setting.kind.allowed, setting.shown_default)
        rows.append(f"| {' | '.join(cells)} | {'yes' if setting.live else 'no'} | {setting.help} |")
    return "\n".join(rows) + "\n"


def with_settings(text: str) -> str:
    """The text of the chapter, with the table as it is now."""
    return re.sub(
        re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: f"{BEGIN}{settings_table()}{END}", text, flags=re.DOTALL
    )


def read(path: str) -> str:
    """A file of the guide; empty if there is none yet."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description="Write the generated parts of the guide.")
    parser.add_argument("--check", action="store_true", help="write no file; report outdated parts and missing proofs")
    arguments = parser.parse_args()
    promises, proofs = read_promises(), read_proofs()
    texts = {OPERATING: with_settings(read(OPERATING)), PROMISES: chapter(promises, proofs)}
    wrong = list(complaints(promises, proofs)) if arguments.check else []
    for path, text in texts.items():
        if text == read(path):
            continue
        if arguments.check:
            wrong.append(f"{os.path.relpath(path)}: not what the code says; make docs")
            continue
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

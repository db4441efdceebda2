"""
Writes the parts of the guide that are made of the code: ``python -m docs.generate``.
"""

from __future__ import annotations

import os
import re

from echoproto.server.settings import table

OPERATING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operating.md")
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


def main() -> None:
    with open(OPERATING, encoding="utf-8") as file:
        text = file.read()
    with open(OPERATING, "w", encoding="utf-8") as file:
        file.write(with_settings(text))


if __name__ == "__main__":
    main()

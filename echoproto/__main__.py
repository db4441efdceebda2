"""``python -m echoproto``, an alias of the command ``echoproto``."""

from echoproto.cli.group import main

if __name__ == "__main__":
    main(prog_name="echoproto")

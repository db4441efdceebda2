"""The figures to hold, each measured against the installed ``twistd``: ``python -m checks.figures``."""

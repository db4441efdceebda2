"""The echo service: its settings, listeners, limits and logs, and the options of ``twistd echo``."""

"""Settings of the service: one table, read from the command line and from TOML."""

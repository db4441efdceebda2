"""The run of a comparison: servers are started, put under load, and measured."""

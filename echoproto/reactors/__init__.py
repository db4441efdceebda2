"""Reactors: selection by name, lean variants, and connections that write at once."""

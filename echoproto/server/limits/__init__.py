"""Limits: admission, deadlines, descriptors, and the orderly end of a connection."""

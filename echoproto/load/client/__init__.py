"""The client of a load: sockets, messages, pacing, and the check of every byte."""

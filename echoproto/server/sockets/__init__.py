"""Listening sockets and connections: endpoints, TLS, Unix sockets, UDP."""

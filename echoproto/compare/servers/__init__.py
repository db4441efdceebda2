"""
Echo servers to compare with, each a small program: ``python -P -m echoproto.compare.servers.NAME PORT``.

They listen on 127.0.0.1, send no greeting, and serve until they are killed. Each follows the manual of its library,
except for the backlog, which is as long as that of our own service.
"""

"""
Echo servers to compare with, each a small program: ``python -P -m echoproto.compare.servers.NAME PORT``.

They listen on 127.0.0.1, greet nobody, and serve until they are killed. Each is what the manual of its library would
have one write, but for the queue of connections, which is as long as that of our own service.
"""

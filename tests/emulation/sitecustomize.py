"""
Gives Twisted's kqueue reactor an emulated kqueue, in every Python process that has this folder in its PYTHONPATH.

Python imports this module at its start. The names stand in `select` only while the reactor's module is imported:
others look there, too, to see what the platform has, and have looked already.
"""

import os

# A process that this one starts elsewhere has to find this folder, too.
os.environ["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, os.environ.get("PYTHONPATH", "").split(os.pathsep)))

import asyncio  # noqa: F401 - it and selectors choose their selector as they are imported
import select
import selectors  # noqa: F401

import emulated_kqueue

if not hasattr(select, "kqueue"):
    names = [name for name in vars(emulated_kqueue) if name.startswith("KQ_")]
    for name in names:
        setattr(select, name, getattr(emulated_kqueue, name))
    from twisted.internet import kqreactor
    from zope.interface import directlyProvides

    for name in names:
        delattr(select, name)
    directlyProvides(emulated_kqueue, kqreactor._IKQueue)
    kqreactor.KQueueReactor.__init__.__defaults__ = (emulated_kqueue,)

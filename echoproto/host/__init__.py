"""
One machine and its processes, for the load generator and the comparison; the service uses nothing of it.
"""

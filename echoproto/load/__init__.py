"""
What a client of an echo sends, when, and what it says of the answer. None of this has I/O, and none of it is shared
with the server: a check must not have the fault of what it checks.
"""

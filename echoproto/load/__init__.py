"""
The load generator: it sends messages to an echo, checks every byte of the replies, and measures their times. It shares
no code with the server: a check must not have the fault of the code that it checks.
"""

"""Which event loop: the names there are, what this platform has of them, and how one gets installed."""

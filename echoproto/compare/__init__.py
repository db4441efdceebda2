"""The comparison: which event loop serves an echo best, by how much, and how sure that is."""

"""The log: a bounded rate of lines, their formats, and the files that they go to."""

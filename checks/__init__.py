"""Long checks, run as commands; none is part of the suite."""

"""The analysis of a comparison: statistics, verdicts and ranking, without I/O."""

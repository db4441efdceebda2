"""The plan of a comparison: contestants, cells, rounds and budget."""

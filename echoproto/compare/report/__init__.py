"""The report of a comparison: advice, tables, HTML page and pictures."""

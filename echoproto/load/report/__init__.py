"""The report of a load: JSON document, table, HTML page, and progress."""

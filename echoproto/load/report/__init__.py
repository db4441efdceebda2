"""The report of a load: JSON document, table, HTML page, and the view while it runs."""

"""HTML pages that work offline, and their charts; shared by all reports."""

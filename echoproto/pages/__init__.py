"""HTML pages that work offline, and the charts in them, as all reports share them."""

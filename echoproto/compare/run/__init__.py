"""The run of a comparison: it starts servers, puts them under load, and measures them."""

"""How the pictures of a comparison are drawn."""

"""Word lists of our own, each with its source and licence."""

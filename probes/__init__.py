"""What does the model do when asked this? One probe per file; path = id."""

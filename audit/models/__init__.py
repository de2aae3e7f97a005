"""How a model is asked, fast."""

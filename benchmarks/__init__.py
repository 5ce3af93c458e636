"""Which formation is worth its cost."""

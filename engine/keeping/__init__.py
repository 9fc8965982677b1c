"""Keeping ended runs in archives, and forgetting what was said in them."""

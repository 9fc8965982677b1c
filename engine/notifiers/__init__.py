"""Ways to tell people that a run waits for them."""

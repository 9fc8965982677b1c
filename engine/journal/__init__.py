"""A journal as it is kept and as it is logged, and the one verified way through it."""

"""Logs as a second, independent copy of runs: read, sorted out, and put together again."""

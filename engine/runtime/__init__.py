"""The shell around the core: commit, perform, drive, and the log."""

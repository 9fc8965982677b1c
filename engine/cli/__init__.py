"""The `waystation` command."""

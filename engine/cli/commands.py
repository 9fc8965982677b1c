"""The `waystation` command with all its subcommands."""

from engine.cli import driving, keeping, looking, verdicts
from engine.cli.root import cli

__all__ = ["cli", "driving", "keeping", "looking", "verdicts"]

"""The engine: the one place that wires stores, models, log and runtime together."""

from engine.api.engine import Engine
from engine.api.wiring import LogTarget

__all__ = ["Engine", "LogTarget"]

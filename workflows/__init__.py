"""Ready-made support workflows, and the list that the command serves by default."""

from engine import Workflow
from workflows.refunds import refunds

ALL: list[Workflow] = [refunds()]

"""What a model is asked next."""

from engine.core.run import Run
from engine.core.sent import context_of
from engine.core.workflow import ModelRequest, Workflow


def request_of(run: Run, workflow: Workflow) -> ModelRequest:
    """The request that goes to the model next; without tools where only its last words are due."""
    tools = () if run.last_words else workflow.tools
    how = run.compacted
    variant = f"{how.start}.{how.noted}" if how else ""
    turn, attempt = run.turns + 1, run.failures + 1
    return ModelRequest(run.id, turn, attempt, context_of(run), tools, variant=variant)

"""What a model is asked next."""

from engine.core.effects import Recap
from engine.core.messages import Message
from engine.core.run import Run
from engine.core.sent import NOTE, context_of
from engine.core.workflow import ModelRequest, Workflow

RECAP = (
    "the conversation is over. Sum it up for the next one with the same customer, in at most 120 "
    "plain words: what was asked, what was done, what was promised, what is left open."
)


def request_of(run: Run, workflow: Workflow) -> ModelRequest:
    """The request that goes to the model next; without tools where only its last words are due."""
    tools = () if run.last_words else workflow.tools
    how = run.compacted
    variant = f"{len(run.messages)}.{how.start}.{how.noted}" if how else f"{len(run.messages)}"
    turn, attempt = run.turns + 1, run.failures + 1
    return ModelRequest(run.id, turn, attempt, context_of(run), tools, variant=variant)


def recap_request(run: Run, effect: Recap) -> ModelRequest:
    """The request for a summary of the whole run; it has no tools."""
    asking = Message(role="user", content=NOTE + RECAP)
    messages = (*context_of(run), asking)
    return ModelRequest(run.id, effect.turn, effect.attempt, messages, (), "summary", "end")

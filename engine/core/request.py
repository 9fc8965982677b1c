"""What a model is asked next."""

from dataclasses import replace

from engine.core.bounded import NOTE
from engine.core.messages import Message
from engine.core.run import Run
from engine.core.workflow import ModelRequest, Workflow

SUM_UP = (
    "the conversation is over. Sum it up for the next one with the same customer, in at most 120 "
    "plain words: what was asked, what was done, what was promised, what is left open."
)


def request_of(run: Run, workflow: Workflow) -> ModelRequest:
    """The request that goes to the model next; without tools where only its last words are due."""
    tools = () if run.last_words else workflow.tools
    return ModelRequest(run.id, run.turns + 1, run.failures + 1, run.messages, tools)


def summary_request_of(run: Run, workflow: Workflow) -> ModelRequest:
    """The request for a summary of the run; its attempt is 0, so its key is no turn's."""
    request = request_of(run, workflow)
    asking = Message(role="user", content=NOTE + SUM_UP)
    return replace(request, attempt=0, messages=(*request.messages, asking), tools=())

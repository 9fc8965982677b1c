"""A conversation as it is driven, where tools give their results at once."""

from collections.abc import Iterator

from engine.core import events as ev
from engine.core.decide import decide
from engine.core.effects import CallModel, CallTools, Park, Record, SumUp
from engine.core.evolve import fold
from engine.core.messages import FunctionCall, Message, ToolCall, Usage
from engine.core.request import request_of
from engine.core.run import Run
from engine.core.sizes import tokens_in
from engine.core.summing_up import cut
from engine.core.workflow import ModelRequest, Workflow
from tests.spec import NOON, STARTED


class Conversation:
    """A run under `workflow`; `journal` has all of it. A model that `counts` says its tokens."""

    def __init__(self, workflow: Workflow, message: str = "Hello", *, counts: bool = False) -> None:
        self.workflow, self.counts = workflow, counts
        self.journal: list[ev.Recorded] = []
        self.run: Run | None = None
        declared = {"definition": workflow.definition, "tools": workflow.schemas}
        said = {"message": message, "instructions": workflow.instructions}
        self.record(STARTED.model_copy(update={**declared, **said}))

    @property
    def live(self) -> Run:
        assert self.run is not None
        return self.run

    def record(self, *events: ev.Event) -> None:
        for event in events:
            one = ev.Recorded(seq=len(self.journal) + 1, at=NOON, event=event)
            self.run = fold([one], self.run)
            self.journal.append(one)

    def asked(self, results: Iterator[str], summary: str = "All went well.") -> ModelRequest | None:
        """What the model is sent next, all before it done; None where the run has stopped."""
        for _ in range(100):
            match decide(self.live, self.workflow, NOON):
                case CallModel():
                    return request_of(self.live, self.workflow)
                case SumUp() as effect:
                    self.record(summed_up(effect, summary))
                case CallTools(intents):
                    self.record(*intents)
                    for one in intents:
                        self.record(ev.ToolReturned(call_id=one.call_id, content=next(results)))
                case Record(events):
                    self.record(*events)
                case Park():
                    return None
        raise AssertionError("it goes on and on")

    def asks(self, calls: int, meanwhile: str | None = None) -> None:
        """The model asks for so many calls; the customer writes in the midst of them."""
        turn = self.live.turns + 1
        function = FunctionCall(name="look", arguments='{"order": "%d"}' % turn)  # noqa: UP031 # braces
        asked = tuple(
            ToolCall(id=f"call_{turn}_{n}", function=function) for n in range(1, calls + 1)
        )
        self.replied(ev.ToolsRequested(message=Message(role="assistant", tool_calls=asked)))
        if meanwhile is not None:
            self.record(ev.MessageReceived(message=meanwhile))

    def answers(self, then: str) -> None:
        """The model answers, and the customer writes again."""
        self.replied(ev.ModelAnswered(message=Message(role="assistant", content="Well.")))
        self.record(ev.MessageReceived(message=then))

    def replied(self, reply: ev.ToolsRequested | ev.ModelAnswered) -> None:
        if self.counts:
            sent = request_of(self.live, self.workflow)
            tokens = tokens_in(sent.messages) * 4 // 5
            reply = reply.model_copy(update={"usage": Usage(input_tokens=tokens, output_tokens=9)})
        self.record(reply)


def summed_up(effect: SumUp, summary: str) -> ev.ContextCompacted:
    """What a model's summary is journalled as."""
    summary = cut(summary, effect.longest)
    more = tokens_in((Message(role="user", content=summary),))
    return ev.ContextCompacted(
        strategies=effect.strategies,
        start=effect.start,
        noted=effect.noted,
        seen=effect.seen,
        before=effect.before,
        tokens=effect.tokens + more,
        summary=summary,
        usage=Usage(input_tokens=7, output_tokens=3),
        seconds=2.0,
    )

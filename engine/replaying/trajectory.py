"""What happened in a run, step by step, without what merely names things."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import JsonValue

from engine.core.canonical import digest, parse_object
from engine.core.events import MessageReceived, Recorded, RunStarted
from engine.core.evolve import fold
from engine.core.messages import Arguments, Message
from engine.core.record import CallRecord, Said, record_of
from engine.core.run import Run
from engine.core.shape import Shape
from engine.errors import CorruptRunError

StepKind = Literal[
    "message", "note", "words", "call", "asked", "verdict", "ran", "result", "answer", "end"
]


class Step(Shape):
    """One step of a run; what does not apply to its kind is None.

    `message` is the customer's, `note` the engine's; `words` the model says beside its
    calls, `answer` without any. A `call` is as the model wrote it, and `ran` says with which
    arguments it was last started, where those are others. It was `asked` about (`said`: what
    kind of approval) under a policy (`text`); a `verdict` is `said` `by` somebody. A `result`
    `said` that the call returned, failed, was given up, or is in doubt; the `end` names the
    state.
    `turn` is the place of the model's reply to which it belongs; 0 before the first.
    """

    kind: StepKind
    turn: int
    tool: str | None = None
    said: str | None = None
    by: str | None = None
    text: str | None = None
    arguments: Arguments | None = None

    @property
    def essence(self) -> str:
        """A digest (64 hex characters) of all but its place; steps are alike where it is equal."""
        fields: dict[str, JsonValue] = self.model_dump(mode="json", exclude={"turn"})
        return digest(fields)


def trajectory(journal: Sequence[Recorded]) -> tuple[Step, ...]:
    """The steps of the run, in the order of its transcript.

    Calls of one turn stand in the model's order, whichever came back first. Raises as
    `evolve` where the journal is of no run, and CorruptRunError where it is empty.
    """
    run = fold(journal)
    if run is None:
        raise CorruptRunError("a journal without an event is no run")
    calls = {record.call_id: record for record in record_of(journal)}
    return tuple(_steps(run, calls, frozenset(_theirs(journal))))


def _theirs(journal: Sequence[Recorded]) -> Iterator[str]:
    """What the customer wrote."""
    for one in journal:
        if isinstance(one.event, RunStarted | MessageReceived):
            yield one.event.message


def _steps(run: Run, calls: dict[str, CallRecord], theirs: frozenset[str]) -> Iterator[Step]:
    turn = 0
    for message in (*run.messages, *run.inbox):
        turn += message.role == "assistant"
        if message.role == "user":
            kind: StepKind = "message" if message.content in theirs else "note"
            yield Step(kind=kind, turn=turn, text=message.content)
        if message.role == "assistant":
            yield from _of_a_reply(message, turn, calls)
    yield Step(kind="end", turn=turn, said=run.state, text=run.reason)


def _of_a_reply(message: Message, turn: int, calls: dict[str, CallRecord]) -> Iterator[Step]:
    if not message.tool_calls:
        yield Step(kind="answer", turn=turn, text=message.content)
    elif message.content:
        yield Step(kind="words", turn=turn, text=message.content)
    for call in message.tool_calls:
        yield from _of_a_call(calls[call.id], turn)


def _of_a_call(record: CallRecord, turn: int) -> Iterator[Step]:
    def step(kind: StepKind, **more: object) -> Step:
        return Step.model_validate({"kind": kind, "turn": turn, "tool": record.tool, **more})

    requested = _requested(record)
    yield step("call", **requested)
    if record.kind is not None:
        yield step("asked", said=record.kind, text=record.policy)
    for said in record.verdicts:
        yield step("verdict", **_verdict(record, said))
    if record.ran is not None and record.ran != requested.get("arguments"):
        yield step("ran", arguments=record.ran)
    if record.outcome in ("returned", "failed", "given up"):
        yield step("result", said=record.outcome, text=record.result)
    elif record.outcome == "in doubt":
        yield step("result", said=record.outcome)


def _requested(record: CallRecord) -> dict[str, object]:
    """The arguments as the model wrote them; as text where that is no JSON object."""
    try:
        return {"arguments": parse_object(record.requested)}
    except ValueError:
        return {"text": record.requested}


def _verdict(record: CallRecord, said: Said) -> dict[str, object]:
    text = record.result if said.verdict == "answered" else said.reason
    return {"said": said.verdict, "by": said.by, "text": text, "arguments": said.arguments}

"""What of a run must not be told outside its store: not in a log, a terminal, or a notice.

A value is secret where its tool says so, or under a key of the redaction list; from then
on it is one wherever it occurs. Tokens are told by their shape. What the run goes on with
is never changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeVar

import orjson
from pydantic import BaseModel

from engine.core import events as ev
from engine.core.free_fields import Fields, Telling
from engine.core.masking import PLAIN, Mask, folded
from engine.core.run import Checkpoint
from engine.core.secret_paths import Paths, secret_paths

_Shape = TypeVar("_Shape", bound=BaseModel)

# The kinds of events in which something may be said that is a secret from then on.
_FREE = frozenset(
    one.model_fields["kind"].default
    for one in (
        ev.ToolsRequested,
        ev.ModelAnswered,
        ev.AnswerSuperseded,
        ev.RunSummarised,
        ev.ToolStarted,
        ev.ToolReturned,
        ev.ApprovalRequested,
        ev.ApprovalGranted,
        ev.ApprovalAnswered,
        ev.StickyRuleAdded,
        ev.MessageReceived,
        ev.ModelFailed,
        ev.ContextCompacted,
    )
)


class Declaring(Protocol):
    """What says what is secret: a workflow, or a run that is under it."""

    @property
    def secrets(self) -> Mapping[str, Paths]:
        """The secret parameters of each tool that has some."""
        ...

    @property
    def redact(self) -> Sequence[str]:
        """The keys whose values are secret."""
        ...


@dataclass(frozen=True, slots=True)
class Secrecy:
    """What is known of a run's secrets so far.

    `paths` are those of each tool's secret parameters, `calls` has the tool of each call
    by its id, `answers` the secret parts of what a question's answer will be.
    """

    paths: Mapping[str, Paths] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Paths] = field(default_factory=dict)
    mask: Mask = field(default=PLAIN, repr=False)

    def after(self, event: ev.Event, data: bytes) -> Self:
        """What is known once that has happened, too; `data` are its fields as JSON."""
        match event:
            case ev.RunStarted():
                return self.under(event).knowing({"message": event.message})
            case ev.WorkflowChanged():
                return self.under(event)
            case _ if event.kind in _FREE:
                return self._having_read(data)
        return self

    @classmethod
    def of(cls, run: Checkpoint) -> Self:
        """What is known from the run, or from its checkpoint alone."""
        fields = run.model_dump(mode="json")
        known = cls().under(run)
        for each in (*fields.get("messages", ()), *fields["calls"], *fields["approvals"]):
            known = known.following(each)
        return known.knowing(fields)

    @classmethod
    def over(cls, journal: Iterable[ev.Recorded]) -> Self:
        """What is known at the end of a journal."""
        known = cls()
        for recorded in journal:
            event = recorded.event
            known = known.after(event, event.model_dump_json(exclude_defaults=True).encode())
        return known

    def hearing(self, shape: BaseModel) -> Self:
        """What is known together with what a person's command, say, holds."""
        return self.knowing(shape.model_dump(mode="json"))

    def masked(self, kind: str, data: bytes) -> bytes:
        """An event's data without secrets; the same bytes where it holds none."""
        del kind  # a field is what it is in every kind
        if not self._suspects(data):
            return data
        fields = orjson.loads(data)
        told = self.fields(fields)
        return data if told == fields else orjson.dumps(told, option=orjson.OPT_SORT_KEYS)

    def told(self, shape: _Shape) -> _Shape:
        """A run, a checkpoint, an event with its place, a call's record … without secrets.

        The very same one where it holds none.
        """
        fields = shape.model_dump(mode="json")
        told = self.fields(fields)
        return shape if told == fields else type(shape).model_validate(told)

    def fields(self, fields: Fields) -> Fields:
        """The fields of any of these, as JSON values, without secrets."""
        return Telling(self.mask, self._paths_of, self.answers).fields(fields)

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self.mask.text(text)

    def tell(self, error: Exception) -> None:
        """Nothing; what the error says is without secrets from then on: it leaves the engine."""
        error.args = tuple(self.text(one) if isinstance(one, str) else one for one in error.args)

    def _having_read(self, data: bytes) -> Self:
        """What is known after an event that says something; quick where that is nothing new."""
        asks = b'"form"' in data or (self.paths and b'"tool_calls"' in data)
        if not (asks or self._suspects(data)):
            return self
        fields = orjson.loads(data)
        return self.following(fields).knowing(fields)

    def _suspects(self, data: bytes) -> bool:
        """Whether it is worth reading: something in it may be secret."""
        by_place = self.paths and (b'"arguments"' in data or b'"when"' in data)
        by_answer = self.answers and b'"content"' in data
        return bool(by_place or by_answer) or self.mask.suspects(data)

    def under(self, declared: Declaring) -> Self:
        """As a workflow declares it; what was secret before stays so."""
        paths = {
            tool: tuple(sorted({*self.paths.get(tool, ()), *declared.secrets.get(tool, ())}))
            for tool in (*self.paths, *declared.secrets)
        }
        keys = {*map(folded, declared.redact)} - self.mask.keys
        mask = Mask(self.mask.values, {*self.mask.keys, *keys}) if keys else self.mask
        return replace(self, paths=paths, mask=mask)

    def following(self, fields: Fields) -> Self:
        """With the calls that are asked for there, and the answers that will be."""
        if (form := fields.get("form")) and (paths := secret_paths(form)):
            return replace(self, answers={**self.answers, fields["call_id"]: paths})
        message = fields.get("message", fields)
        asked = message.get("tool_calls") if isinstance(message, dict) else None
        if not asked or not self.paths:
            return self
        calls = {one["id"]: one["function"]["name"] for one in asked}
        return replace(self, calls={**self.calls, **calls})

    def knowing(self, fields: Fields) -> Self:
        """With the secrets that stand there as such."""
        found: set[str] = set()
        Telling(self.mask, self._paths_of, self.answers, found).fields(fields)
        if found <= self.mask.values:
            return self
        return replace(self, mask=Mask(self.mask.values | found, self.mask.keys))

    def _paths_of(self, fields: Mapping[str, Any]) -> Paths:
        """Where the arguments of that call are secret; wherever any may be, if it is not known."""
        tool = fields.get("tool") or self.calls.get(str(fields.get("call_id")))
        if tool is not None:
            return self.paths.get(tool, ())
        return tuple(path for paths in self.paths.values() for path in paths)


NOTHING_SECRET = Secrecy()
"""Nothing but what any run's secrets are told by."""

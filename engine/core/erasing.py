"""An event without what people, models and tools wrote in it.

What it was, when, of which call, and who of the staff said it stays, so that the events
still fold to the same states. Every field of every event has its rule here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.core import events as ev
from engine.core.approvers import person
from engine.core.messages import FunctionCall, Message, ToolCall

ERASED = "[erased]"


@dataclass(frozen=True, slots=True)
class About:
    """Whom an event is about, and which tools were declared then; None where that is unknown."""

    customer: str | None = None
    tools: frozenset[str] | None = None


def erased(event: ev.Event, about: About) -> ev.Event:
    """The event with only what need not be erased; the same one where that is all of it."""
    changes = {
        name: after
        for name, rule in _rules_of(event).items()
        if (before := getattr(event, name, None)) != (after := rule(before, about))
    }
    return event.model_copy(update=changes) if changes else event


def _rules_of(event: ev.Event) -> "Mapping[str, _Rule]":
    """The rule of each field that may have something to erase."""
    if isinstance(event, ev.JournalEvent):  # what somebody did with the journal itself is kept
        return {"by": name_of}
    rules = {name: _RULES[name] for name in type(event).model_fields}
    if isinstance(event, ev.RunStarted | ev.MessageReceived):
        rules["by"] = _words  # whose run it is, and who wrote
    return rules


def _kept(value: object, _: About) -> object:
    return value


def _words(value: object, _: About) -> object:
    """What is there says that something was."""
    return ERASED if value else value


def name_of(value: object, about: About) -> object:
    """The name, unless it is the customer's."""
    theirs = about.customer is not None and isinstance(value, str)
    return ERASED if theirs and person(str(value)) == person(about.customer or "") else value


def _arguments(value: object, _: About) -> object:
    return {} if value else value


def _conditions(value: object, _: About) -> object:
    """Conditions that never hold, as there is no such argument."""
    return {ERASED: {"eq": ERASED}} if value else value


def _form(value: object, _: About) -> object:
    return {"type": "string"} if value else value


def _message(value: object, about: About) -> object:
    """A text, or a model's reply; of that, which tools it asked for stays."""
    if not isinstance(value, Message):
        return _words(value, about)
    return Message(
        role=value.role,
        content=ERASED if value.content else value.content,
        tool_calls=tuple(_call(one, about) for one in value.tool_calls),
    )


def _call(call: ToolCall, about: About) -> ToolCall:
    """The call under its id; a name that no tool has is only something that a model wrote."""
    name = call.function.name
    known = about.tools is None or name in about.tools
    function = FunctionCall(name=name if known else ERASED, arguments="{}")
    return ToolCall(id=call.id, function=function)


def _all(rule: Callable[[object, About], object], names: str) -> Mapping[str, "_Rule"]:
    return dict.fromkeys(names.split(), rule)


_Rule = Callable[[object, About], object]
_RULES: Mapping[str, _Rule] = {
    **_all(_words, "instructions customer error content reason note found words summary known"),
    **_all(name_of, "by"),
    **_all(_arguments, "arguments"),
    **_all(_conditions, "when"),
    **_all(_form, "form"),
    **_all(_message, "message"),
    # What a workflow's authors declared, and what the engine itself has set down.
    **_all(_kept, "kind run_id workflow definition tools secrets redact tool notify notifier role"),
    **_all(_kept, "call_id approval_id rule_id approval_kind digest schema_digest terms demand"),
    **_all(_kept, "attempt retry_at idempotency_key epoch repeats audit reconciled limit outcome"),
    **_all(_kept, "expires_at remind_at usage model request_id seen raised cost seconds overflow"),
    **_all(_kept, "cut window strategies start noted before tokens"),
    **_all(_kept, "shown sums_up by_model"),
}

"""Which fields of an event, a run or a record are free: what people, models and tools wrote.

Everything else (ids, digests, names, times, counts) is structure, and is never masked. A
field has the same name, and the same place here, wherever it stands.
"""

from collections.abc import Callable, Mapping
from typing import Any

from engine.core.masking import Mask, hidden
from engine.core.secret_paths import Paths, below

Fields = dict[str, Any]

TEXTS = frozenset(
    [
        "answer",
        "content",
        "diff",
        "edits",
        "error",
        "expected",
        "failure",
        "failures",
        "found",
        "gave",
        "got",
        "instructions",
        "known",
        "message",
        "note",
        "policy",
        "reason",
        "result",
        "said",
        "source",
        "summary",
        "why",
        "words",
    ]
)
ARGUMENTS = frozenset(["arguments", "asked", "edited", "original", "ran", "requested"])
CONDITIONS = frozenset(["remember", "when"])
MESSAGES = frozenset(["inbox", "message", "messages"])
FORMS = frozenset(["form"])
# What has fields of its own.
PARTS = frozenset(
    [
        "approval",
        "approvals",
        "calls",
        "demand",
        "event",
        "long_results",
        "results",
        "rules",
        "verdicts",
    ]
)
_OF_A_MESSAGE = frozenset(["role", "tool_call_id"])
_OF_A_CALL = frozenset(["id", "type"])


class Telling:
    """One pass over fields: what is masked, with the secret paths of tools and of answers."""

    def __init__(
        self,
        mask: Mask,
        paths_of: Callable[[Fields], Paths],
        answers: Mapping[str, Paths],
        found: set[str] | None = None,
    ) -> None:
        """Take what says which arguments are secret; what is hidden as such goes to `found`."""
        self._mask, self._paths_of, self._answers, self._found = mask, paths_of, answers, found

    def fields(self, fields: Fields) -> Fields:
        """The fields without secrets."""
        return {name: self._field(name, value, fields) for name, value in fields.items()}

    def _field(self, name: str, value: Any, beside: Fields) -> Any:  # noqa: ANN401 # JSON
        if isinstance(value, list) and name in PARTS | MESSAGES | TEXTS:
            return [self._field(name, one, beside) for one in value]
        match value:
            case str():
                return self._text(name, value, beside)
            case dict() if read := self._reader(name):
                return read(value, beside)
        return value

    def _text(self, name: str, text: str, beside: Fields) -> str:
        if name in ARGUMENTS:
            return self._mask.arguments(text, self._paths_of(beside), self._found)
        paths = self._answered(beside) if name == "content" else ()
        return self._mask.arguments(text, paths, self._found) if name in TEXTS else text

    def _reader(self, name: str) -> Callable[[Fields, Fields], Fields] | None:
        """How an object under that name is read; None where nothing in it is free."""
        readers = (
            (ARGUMENTS, self._arguments),
            (CONDITIONS, self._conditions),
            (MESSAGES, lambda message, _: self._message(message)),
            (FORMS, lambda schema, _: self._form(schema)),
            (PARTS, lambda part, _: self.fields(part)),
        )
        return next((reader for names, reader in readers if name in names), None)

    def _arguments(self, arguments: Fields, beside: Fields) -> Fields:
        told: Fields = self._mask.value(arguments, self._paths_of(beside), self._found)
        return told

    def _answered(self, beside: Fields) -> Paths:
        return self._answers.get(str(beside.get("call_id") or beside.get("tool_call_id")), ())

    def _conditions(self, when: Fields, beside: Fields) -> Fields:
        paths = self._paths_of(beside)
        return {
            name: {
                test: hidden(wanted, self._found)
                if self._mask.hides(name)
                else self._compared(test, wanted, below(paths, name))
                for test, wanted in tests.items()
            }
            for name, tests in when.items()
        }

    def _compared(self, test: str, wanted: Any, paths: Paths) -> Any:  # noqa: ANN401 # JSON
        if test == "in" and isinstance(wanted, list):
            return [self._mask.value(one, paths, self._found) for one in wanted]
        return self._mask.value(wanted, paths, self._found)

    def _message(self, message: Fields) -> Fields:
        kept = {name: message[name] for name in message if name in _OF_A_MESSAGE}
        told = {"content": self._field("content", message.get("content"), message)}
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            told["tool_calls"] = [self._call(one) for one in calls]
        return self._with_extras(message, kept | told)

    def _call(self, call: Fields) -> Fields:
        kept = {name: call[name] for name in call if name in _OF_A_CALL}
        function = call["function"]
        paths = self._paths_of({"tool": function["name"]})
        asked = {
            "name": function["name"],
            "arguments": self._mask.arguments(function["arguments"], paths, self._found),
        }
        return self._with_extras(call, {**kept, "function": self._with_extras(function, asked)})

    def _with_extras(self, whole: Fields, told: Fields) -> Fields:
        """What an endpoint added of its own is free content, too."""
        extras = {name: value for name, value in whole.items() if name not in told}
        free = self._mask.value(extras, (), self._found) if extras else {}
        return {name: told[name] if name in told else free.get(name) for name in whole}

    def _form(self, schema: Any) -> Any:  # noqa: ANN401 # JSON
        """A schema, whose keys are names of what will be said, and no secrets."""
        match schema:
            case str():
                return self._mask.text(schema)
            case dict():
                return {name: self._form(one) for name, one in schema.items()}
            case list():
                return [self._form(one) for one in schema]
        return schema


def without_secrets(checkpoint: Fields) -> Fields:
    """A stored checkpoint without what can be known from it alone to be secret."""
    paths, keys = checkpoint.get("secrets") or {}, checkpoint.get("redact") or ()
    found: set[str] = set()

    def paths_of(fields: Fields) -> Paths:
        return tuple(paths.get(fields.get("tool"), ()))

    Telling(Mask(keys=keys), paths_of, {}, found).fields(checkpoint)
    return Telling(Mask(found, keys), paths_of, {}).fields(checkpoint)

"""The chunks of a streamed Chat Completions reply, put together to what it says unstreamed."""

from typing import Any

_ONCE = frozenset({"id", "index", "type", "role", "format", "object"})  # said, not continued


class Assembly:
    """A reply as far as it has come in.

    What no endpoint should send is kept as it is, for whoever reads the whole to refuse.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.finish_reason: str | None = None
        self._about: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._calls: list[tuple[Any, dict[str, Any]]] = []
        self._text, self._told = "content", 0

    def take(self, chunk: dict[str, Any]) -> str:
        """What the chunk adds to the text that a person reads."""
        said = {name: value for name, value in chunk.items() if value is not None}
        choices = said.pop("choices", None)
        self._about.update(said)
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                self._choose(choice)
        return self._new_text()

    def completion(self) -> dict[str, Any]:
        """The whole, as an endpoint answers it that does not stream."""
        calls = [call for _, call in sorted(self._calls, key=_place)]
        message = {"role": "assistant", "content": None, **self._message}
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "finish_reason": self.finish_reason, "message": _joined(message)}
        return {**self._about, "object": "chat.completion", "choices": [choice]}

    def _choose(self, choice: dict[str, Any]) -> None:
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        fields = dict(delta)
        for fragment in fields.pop("tool_calls", None) or ():
            self._call(fragment)
        self._message = merged(self._message, fields)

    def _call(self, fragment: dict[str, Any]) -> None:
        """A piece of the call under its index; without one, of the call with its id, or the last.

        Where an index comes again with another id, it is another call.
        """
        rest = dict(fragment)
        index, name = rest.pop("index", None), rest.get("id")
        for place in reversed(range(len(self._calls))):
            at, call = self._calls[place]
            named = not name or name == call.get("id") or (index == at and not call.get("id"))
            if named and index in (None, at):
                self._calls[place] = (at, _with_fragment(call, rest))
                return
        self._calls.append((len(self._calls) if index is None else index, rest))

    def _new_text(self) -> str:
        """What has not been told of the text; half of a surrogate pair waits for the other."""
        if not self._told:
            self._text = "content" if self._message.get("content") else "refusal"
        text = self._message.get(self._text)
        if not isinstance(text, str):
            return ""
        end = len(text) - 1 if text[-1:] and "\ud800" <= text[-1] <= "\udbff" else len(text)
        new, self._told = text[self._told : end], end
        return str(_joined(new))


def merged(before: Any, more: Any) -> Any:  # noqa: ANN401 # JSON is whatever it is
    """Two pieces of a JSON value as one: texts and lists go on, objects field by field."""
    match before, more:
        case (_, None):
            return before
        case (str(), str()):
            return before + more
        case (dict(), dict()):
            return {**before, **{name: _field(name, before, more) for name in more}}
        case (list(), list()):
            return _listed(before, more)
    return more


def _field(name: str, before: dict[str, Any], more: dict[str, Any]) -> Any:  # noqa: ANN401 # as above
    if name in _ONCE:
        return more[name] or before.get(name)
    return merged(before.get(name), more[name])


def _listed(before: list[Any], more: list[Any]) -> list[Any]:
    """The list with its new entries; one that has the index of an older one continues it."""
    whole = list(before)
    for one in more:
        index = one.get("index") if isinstance(one, dict) else None
        places = [at for at, old in enumerate(whole) if _index(old) == index is not None]
        if places:
            whole[places[0]] = merged(whole[places[0]], one)
        else:
            whole.append(one)
    return whole


def _index(value: Any) -> Any:  # noqa: ANN401 # as above
    return value.get("index") if isinstance(value, dict) else None


def _with_fragment(call: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """The call with one more piece; a name that is said again as a whole is not doubled."""
    old, new = call.get("function"), rest.get("function")
    if isinstance(old, dict) and isinstance(new, dict) and new.get("name") == old.get("name"):
        rest = {**rest, "function": {k: v for k, v in new.items() if k != "name"}}
    whole: dict[str, Any] = merged(call, rest)
    return whole


def _place(placed: tuple[Any, dict[str, Any]]) -> int:
    return placed[0] if isinstance(placed[0], int) else 0


def _joined(value: Any) -> Any:  # noqa: ANN401 # as above
    """The value with surrogate pairs that came in two pieces as the letters that they are."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        case list():
            return [_joined(one) for one in value]
        case dict():
            return {name: _joined(one) for name, one in value.items()}
    return value

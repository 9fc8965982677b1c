"""Where in a tool's arguments secrets stand: from its schema, and down along its values."""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

Paths = tuple[str, ...]

_ANY = "*"  # any item of a list, any key of an object
_DEEP = "**"  # any number of levels, none too
_MOST = 5000  # parts of a schema that are looked at

_ALTERNATIVES = ("allOf", "anyOf", "oneOf")
_SAME = ("if", "then", "else")
_ITEMS = ("items", "contains", "unevaluatedItems", "additionalItems")
_OTHERS = ("additionalProperties", "unevaluatedProperties")


def secret_paths(schema: Mapping[str, object]) -> Paths:
    """The paths to what `schema` marks as secret: `writeOnly`, or of the format `password`.

    They are names with dots between, `*` for any item or key, `**` for any number of
    levels; sorted. An object whose keys are secret is so as a whole. Of a schema that is
    too entangled to be followed every property is secret.
    """
    try:
        return tuple(sorted(_Search(schema).below(schema)))
    except (_EntangledError, RecursionError):
        properties = schema.get("properties")
        return tuple(sorted(properties)) if isinstance(properties, Mapping) else (_ANY,)


def below(paths: Paths, name: str | None) -> Paths:
    """What `paths` are from the value of the key `name` on, or from a list's item (None) on.

    The empty path says that the value itself is secret.
    """
    return tuple(rest for path in paths for rest in _rests(path, name))


def _rests(path: str, name: str | None) -> Iterator[str]:
    if path.startswith(f"{_DEEP}."):
        yield path
        yield from _rests(path.removeprefix(f"{_DEEP}."), name)
    for step in (_ANY,) if name is None else (_ANY, name):
        if path == step:
            yield ""
        elif path.startswith(f"{step}."):
            yield path[len(step) + 1 :]


class _EntangledError(Exception):
    """The schema leads on and on."""


class _Search:
    """One walk through a schema, which may refer to itself."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root, self._left = root, _MOST
        self._looped: set[str] = set()

    def below(self, part: object, refs: tuple[str, ...] = ()) -> set[str]:
        """The paths from `part` down, which was come to through `refs`; "" is the part itself."""
        self._left -= 1
        if self._left < 0:
            raise _EntangledError
        if not isinstance(part, Mapping):
            return set()
        if part.get("writeOnly") is True or part.get("format") == "password":
            return {""}
        found = {
            _joined(name, path)
            for name, child in _children(part)
            for path in self.below(child, refs)
        }
        if isinstance(ref := part.get("$ref"), str):
            found |= self._behind(ref, refs)
        return found | {""} if self.below(part.get("propertyNames"), refs) else found

    def _behind(self, ref: str, refs: tuple[str, ...]) -> set[str]:
        if ref in refs:
            self._looped.add(ref)
            return set()
        found = self.below(_target(self._root, ref), (*refs, ref))
        return {_joined(_DEEP, path) for path in found} if ref in self._looped else found


def _children(part: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The schemas within one, each under the name by which its values are reached."""
    if isinstance(properties := part.get("properties"), Mapping):
        yield from properties.items()
    if isinstance(patterns := part.get("patternProperties"), Mapping):
        yield from ((_ANY, child) for child in patterns.values())
    yield from ((_ANY, part.get(word)) for word in (*_ITEMS, *_OTHERS))
    yield from ((_ANY, child) for child in _listed(part, "prefixItems"))
    yield from (("", part.get(word)) for word in _SAME)
    yield from (("", child) for word in _ALTERNATIVES for child in _listed(part, word))


def _listed(part: Mapping[str, object], word: str) -> list[object]:
    children = part.get(word)
    return children if isinstance(children, list) else []


def _joined(name: str, path: str) -> str:
    return f"{name}.{path}" if name and path else name or path


def _target(root: Mapping[str, object], ref: str) -> object:
    """What a reference within the schema leads to; None for any other."""
    if not ref.startswith("#"):
        return None
    found: object = root
    for step in unquote(ref[1:]).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found

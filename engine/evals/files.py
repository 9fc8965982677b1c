"""Reading cases from a file; whatever is wrong in it is one line that says where."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.core.canonical import parse_object
from engine.core.shape import Shape
from engine.errors import BadInputError
from engine.evals.cases import Case, CaseVerdict, Expect, ExpectedAnswer, ExpectedCall

_YAML, _LINES = (".yaml", ".yml", ".json"), (".jsonl", ".ndjson")
_PARTS: Mapping[str, type[Shape]] = {
    "": Case,
    "approvals": CaseVerdict,
    "expect": Expect,
    "calls": ExpectedCall,
    "answer": ExpectedAnswer,
}


def read_cases(file: str | Path) -> list[Case]:
    """The cases in a YAML file (a list of them) or a JSON Lines file (one a line).

    Raises BadInputError where it cannot be read, is neither, holds none, or a case in it
    makes no sense: then the line names the file, the case, and the key.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInputError(f"{path}: the cases cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInputError(f"{path}: the cases are no text in UTF-8") from error
    if path.suffix.lower() in _LINES:
        found = list(_lines(path, text))
    elif path.suffix.lower() in _YAML:
        found = _listed(path, text)
    else:
        raise BadInputError(f"{path}: cases are in a file {', '.join((*_YAML, *_LINES))}")
    if not found:
        raise BadInputError(f"{path}: there are no cases in it")
    return [_case(path, place, one) for place, one in enumerate(found, 1)]


def _lines(path: Path, text: str) -> Iterator[object]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield parse_object(line)
            except ValueError as error:
                raise BadInputError(f"{path}: line {number}: {error}") from error


def _listed(path: Path, text: str) -> list[object]:
    try:
        _refuse_doubles(yaml.compose(text, Loader=yaml.SafeLoader))
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise BadInputError(f"{path}: it is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BadInputError(f"{path}: it is nested too deeply") from error
    if value is None or isinstance(value, list):
        return value or []
    raise BadInputError(f"{path}: it is to be a list of cases, each beginning with a dash")


def _refuse_doubles(root: yaml.Node | None) -> None:
    """Nothing; ValueError where a key stands twice: the first would be lost without a word."""
    nodes, seen = [root], set[int]()
    while nodes:
        node = nodes.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            _refuse_double_keys(node)
            nodes += (value for _, value in node.value)


def _refuse_double_keys(node: yaml.MappingNode) -> None:
    known: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in known:
                line = key.start_mark.line + 1
                raise ValueError(f"line {line}: the key {key.value!r} stands there twice")
            known.add(key.value)


def _case(path: Path, place: int, value: object) -> Case:
    try:
        return Case.model_validate(value)
    except ValidationError as error:
        name = value.get("name") if isinstance(value, dict) else None
        case = f"case {name!r}" if isinstance(name, str) else f"case {place}"
        faults = error.errors(include_url=False)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise BadInputError(f"{path}: {case}: {_fault(faults[0])}{more}") from error
    except RecursionError as error:
        raise BadInputError(f"{path}: case {place}: it is nested too deeply") from error


def _fault(fault: ErrorDetails) -> str:
    """The key, and what is wrong with it."""
    where, key = fault["loc"], ""
    for step in where:
        key += f"[{step}]" if isinstance(step, int) else f".{step}"
    words = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        words = f"there is no such key; there are: {', '.join(_known(where))}"
    shown = " ".join(f"{key.removeprefix('.')}: {words}".split())
    return shown.removeprefix(": ")


def _known(where: tuple[int | str, ...]) -> list[str]:
    """The keys that are known beside the one that is not."""
    names = [step for step in where[:-1] if isinstance(step, str)]
    part = _PARTS.get(names[-1] if names else "")
    return list(part.model_fields) if part else []

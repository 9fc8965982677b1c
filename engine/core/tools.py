"""`@tool`: a Tool from a function's type hints and docstring."""

import inspect
from collections.abc import Callable
from typing import Any, TypedDict, Unpack, get_type_hints, overload

from docstring_parser import parse
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from engine.core.context import wants_context
from engine.core.policy import Policy
from engine.core.schema import ModelArguments
from engine.core.secret_paths import secret_paths
from engine.core.secret_values import SecretSchema
from engine.core.strict import null_means_absent
from engine.core.terms import Isolation
from engine.core.tool import Reconciler, Tool
from engine.errors import DefinitionError

Function = Callable[..., object]

_UNNAMEABLE = (
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
    inspect.Parameter.POSITIONAL_ONLY,
)


class Declared(TypedDict, total=False):
    """What an author may say of a tool beside its function; see Tool."""

    read_only: bool
    destructive: bool
    idempotent: bool
    approval: Policy | None
    reconcile: Reconciler | None
    key_ttl: float | None
    transactional: bool
    timeout: float | None
    isolation: Isolation
    transient: tuple[type[Exception], ...]
    not_executed: tuple[type[Exception], ...]
    max_attempts: int | None
    backoff: float


@overload
def tool(function: Function, /) -> Tool: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, **declared: Unpack[Declared]
) -> Callable[[Function], Tool]: ...
def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    **declared: Unpack[Declared],
) -> Tool | Callable[[Function], Tool]:
    """A Tool made from a function, sync or async.

    The parameters' schema comes from the type hints; their descriptions from
    `Annotated[..., Field(description=...)]` or else the docstring (reST, Google or
    NumPy style); a parameter of type ToolContext is the engine's to fill in. See Tool
    for the hints and the rest. Raises DefinitionError for a parameter without a type
    hint, or one that cannot be given by name.
    """
    if declared.get("read_only"):
        declared["destructive"] = False

    def make(function: Function) -> Tool:
        return _make(function, name, description, declared)

    return make if function is None else make(function)


def _make(
    function: Function, name: str | None, description: str | None, declared: Declared
) -> Tool:
    doc = parse(inspect.getdoc(function) or "")
    title = name or str(getattr(function, "__name__", type(function).__name__))
    model = _model(title, function, {p.arg_name: p.description for p in doc.params})
    schema = _schema(title, model)
    return Tool(
        name=title,
        description=description or _first_words(doc.short_description, doc.long_description),
        parameters=schema,
        function=function,
        validator=ModelArguments(
            model, null_means_absent(schema), secret=bool(secret_paths(schema))
        ),
        **declared,
    )


def _first_words(short: str | None, long: str | None) -> str:
    return "\n\n".join(text for text in (short, long) if text)


def _model(title: str, function: Function, described: dict[str, str | None]) -> type[BaseModel]:
    """The pydantic model of the function's parameters. It never calls the function."""
    fields: dict[str, Any] = {}
    try:
        hints = get_type_hints(function, include_extras=True)
        # Fields are named p0, p1 … behind aliases, as a parameter may be called `copy` or `_x`.
        for place, (arg, parameter) in enumerate(inspect.signature(function).parameters.items()):
            if parameter.kind in _UNNAMEABLE:
                raise DefinitionError(f"tool {title}: {arg} cannot be given by name")
            if arg not in hints:
                raise DefinitionError(f"tool {title}: {arg} has no type hint")
            if wants_context(hints[arg]):
                continue
            fields[f"p{place}"] = (
                hints[arg],
                _field(arg, parameter, hints[arg], described.get(arg)),
            )
        return create_model(
            title, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields
        )
    except (NameError, TypeError, PydanticUserError) as error:
        raise DefinitionError(f"tool {title}: {str(error).splitlines()[0]}") from error


def _schema(title: str, model: type[BaseModel]) -> dict[str, Any]:
    try:
        return _untitled(model.model_json_schema(schema_generator=SecretSchema))
    except PydanticUserError as error:
        raise DefinitionError(f"tool {title}: {str(error).splitlines()[0]}") from error


def _field(arg: str, parameter: inspect.Parameter, hint: object, said: str | None) -> FieldInfo:
    given = [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, FieldInfo)]
    described = any(meta.description for meta in given)
    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    if isinstance(default, FieldInfo):
        raise DefinitionError(
            f"parameter {arg}: put Field(...) into Annotated, not into the default"
        )
    words = {} if described or not said else {"description": said}
    info: FieldInfo = Field(default, alias=arg, **words)  # type: ignore[call-overload] # keywords by name
    return info


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the titles that pydantic makes from names."""
    properties = {
        name: {key: value for key, value in part.items() if key != "title"}
        for name, part in schema.get("properties", {}).items()
    }
    rest = {key: value for key, value in schema.items() if key != "title"}
    return {**rest, "properties": properties}

"""What an author declares about one tool."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import orjson
from pydantic import JsonValue

from engine.core.canonical import action_digest, digest
from engine.core.context import context_parameter
from engine.core.demand import Demand
from engine.core.forms import Form
from engine.core.masking import PLAIN
from engine.core.messages import Arguments
from engine.core.policy import Policy, fault_of
from engine.core.run import Run
from engine.core.schema import ModelArguments, SchemaArguments, Validator
from engine.core.secret_paths import secret_paths
from engine.core.states import Repeats
from engine.core.terms import BACKOFF, Isolation, fault_of_terms
from engine.errors import DefinitionError

Reconciler = Callable[[str, Mapping[str, JsonValue]], object]
FromRun = Callable[[Run, Arguments, int], str]

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what Chat Completions accepts


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A function that a model may ask for.

    `parameters` is a JSON Schema of type object. The hints are those of the Model
    Context Protocol; one that is left out takes its unsafe reading: the tool
    changes the world, may not be repeated, and needs approval. `approval` says
    otherwise where its author knows better.

    `reconcile(idempotency_key, arguments)`, sync or async, looks up what came of a
    call whose result was lost: it gives the result, or None where the call did not
    happen. `key_ttl` is for how many seconds from the first start the receiver of an
    idempotent call remembers its key. A `transactional` tool writes through the
    `transaction` of its ToolContext, and nothing else; what it wrote and its result
    are kept together or not at all.

    `timeout` is for how many seconds an attempt is waited for. With `isolation="process"`
    it runs in a process of its own, which is killed then with all that it began; a thread
    cannot be, and goes on. `transient` are errors after which a tool that may be repeated,
    or looked up, is called again; `not_executed` those that say for certain that nothing
    happened, as NotExecuted does. `max_attempts` is how many there are in all (else the
    run's own), `backoff` how many seconds at most are waited before the second; it doubles.

    What `from_run` gives, of the run, the arguments and the most characters, is the result
    where it is there; the function is not called then.
    """

    name: str
    description: str
    parameters: Mapping[str, JsonValue]
    function: Callable[..., object]
    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    approval: Policy | None = None
    reconcile: Reconciler | None = None
    key_ttl: float | None = None
    transactional: bool = False
    timeout: float | None = None
    isolation: Isolation = "thread"
    transient: tuple[type[Exception], ...] = ()
    not_executed: tuple[type[Exception], ...] = ()
    max_attempts: int | None = None
    backoff: float = BACKOFF
    from_run: FromRun | None = None
    form: Form | None = None
    validator: Validator | None = None

    def __post_init__(self) -> None:
        """Refuse, with DefinitionError, what no model or approver could make sense of."""
        if not isinstance(self.name, str) or not _TOOL_NAME.fullmatch(self.name):
            raise DefinitionError(f"tool {self.name!r}: a name is 1 to 64 letters, digits, _ or -")
        if fault := fault_of(self.approval):
            raise DefinitionError(f"tool {self.name}: {fault}")
        if self.validator is None:
            object.__setattr__(self, "validator", SchemaArguments(self.name, self.parameters))
        try:
            self.digest({}, Demand())
        except ValueError as error:
            raise DefinitionError(f"tool {self.name}: parameters: {error}") from error
        object.__setattr__(self, "transient", _several(self.transient))
        object.__setattr__(self, "not_executed", _several(self.not_executed))
        if fault := fault_of_terms(self) or self._fault():
            raise DefinitionError(f"tool {self.name}: {fault}")

    def _fault(self) -> str | None:
        """What is wrong with how the tool says it may be repeated."""
        wants_context = self.context is not None
        if not self.transactional:
            return None
        if self.read_only or self.reconcile is not None:
            return "a transactional tool has nothing to look up, and is not read-only"
        if not wants_context or inspect.iscoroutinefunction(self.function):
            return "a transactional tool is a plain function with a ToolContext parameter"
        return None

    @cached_property
    def context(self) -> str | None:
        """The parameter of the function that is given a ToolContext, or None."""
        return context_parameter(self.name, self.function)

    @property
    def is_typed(self) -> bool:
        """Whether its arguments are read by the function's own type hints."""
        return isinstance(self.validator, ModelArguments)

    @cached_property
    def schema_digest(self) -> str:
        """A short digest (16 hex characters) of the parameters' schema."""
        return digest(dict(self.parameters))[:16]

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The parameters that are secret, by their schema or their names; see `secret_paths`."""
        properties = self.parameters.get("properties")
        names = filter(PLAIN.hides, properties if isinstance(properties, dict) else ())
        return tuple(sorted({*secret_paths(self.parameters), *names}))

    @property
    def repeats(self) -> Repeats | None:
        """Why a call that may have happened may be made again without asking; None: it may not."""
        if self.read_only:
            return "read_only"
        if self.transactional:
            return "transactional"
        return "idempotent" if self.idempotent else None

    @property
    def repeatable(self) -> bool:
        """Whether a call that may have happened may be made again without asking."""
        return self.repeats is not None

    def validate(self, text: str) -> dict[str, JsonValue]:
        """The arguments that would execute, after defaults and coercion, as JSON values.

        Raises ArgumentsError, in words for the model, where `text` does not fit.
        """
        return self._validator.parse(text)

    def bind(self, arguments: Mapping[str, JsonValue]) -> dict[str, object]:
        """The keyword arguments for `function` that validated `arguments` stand for.

        They are its own: what it does to them changes nothing of what was approved.
        """
        return self._validator.bind(orjson.loads(orjson.dumps(arguments)))

    def digest(self, arguments: Mapping[str, JsonValue], demand: Demand) -> str:
        """The digest of the exact action: this tool, these arguments, this schema, this demand."""
        return action_digest(self.name, arguments, self.parameters, demand.identity)

    @property
    def _validator(self) -> Validator:
        if self.validator is None:
            raise DefinitionError(f"tool {self.name} has no validator")
        return self.validator


def _several(kinds: object) -> tuple[object, ...]:
    """One error, or several."""
    return (*kinds,) if isinstance(kinds, list | tuple | set | frozenset) else (kinds,)

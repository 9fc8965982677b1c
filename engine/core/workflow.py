"""What authors declare: a workflow, its tools, its limits, and the model port they may bring."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Protocol

from pydantic import JsonValue, ValidationError

from engine.core.canonical import action_digest, digest
from engine.core.context import context_parameter
from engine.core.demand import Demand
from engine.core.forms import Form
from engine.core.messages import Arguments, Message, Usage
from engine.core.notices import Notifier
from engine.core.policy import Policy, declared, demanded, fault_of, wants_four_eyes
from engine.core.run import Run
from engine.core.schema import SchemaArguments, Validator
from engine.core.shape import Shape
from engine.core.states import Repeats
from engine.errors import DefinitionError

Reconciler = Callable[[str, Mapping[str, JsonValue]], object]

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what Chat Completions accepts
_WORKFLOW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Limits(Shape):
    """The bounds of one run.

    `max_attempts` counts tries at the model within one turn, and starts of one call.
    """

    max_turns: int = 12
    max_attempts: int = 5

    def __init__(self, **bounds: int) -> None:
        """Take the bounds by name; raises DefinitionError for one below 1 or unknown."""
        try:
            super().__init__(**bounds)
        except ValidationError as error:
            fault = error.errors()[0]
            raise DefinitionError(f"limits: {fault['loc'][0]}: {fault['msg']}") from error
        for name, bound in self:
            if bound < 1:
                raise DefinitionError(f"limits: {name} must be at least 1, not {bound}")


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
        if fault := self._fault():
            raise DefinitionError(f"tool {self.name}: {fault}")

    def _fault(self) -> str | None:
        """What is wrong with how the tool says it may be repeated."""
        wants_context = self.context is not None
        if self.key_ttl is not None and not (self.idempotent and self.key_ttl > 0):
            return "key_ttl is a number of seconds above 0, for an idempotent tool"
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

    @cached_property
    def schema_digest(self) -> str:
        """A short digest (16 hex characters) of the parameters' schema."""
        return digest(dict(self.parameters))[:16]

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
        return self._validator.bind(deepcopy(arguments))

    def digest(self, arguments: Mapping[str, JsonValue], demand: Demand) -> str:
        """The digest of the exact action: this tool, these arguments, this schema, this demand."""
        return action_digest(self.name, arguments, self.parameters, demand.identity)

    @property
    def _validator(self) -> Validator:
        if self.validator is None:
            raise DefinitionError(f"tool {self.name} has no validator")
        return self.validator


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked: the transcript so far, and the tools it may call."""

    run_id: str
    turn: int
    attempt: int
    messages: tuple[Message, ...]
    tools: Sequence[Tool]

    @property
    def idempotency_key(self) -> str:
        """A key (32 hex characters) for this one attempt, the same whoever makes it."""
        return digest([self.run_id, self.turn, self.attempt])[:32]


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model said. `finish_reason` is Chat Completions' word for why it stopped."""

    message: Message
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    request_id: str | None = None


class ModelClient(Protocol):
    """The port to a model."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The model's reply; TransientModelError or PermanentModelError where there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """Instructions, tools and bounds under a name.

    `approval` is the policy for all its tools; where a tool has its own, the stricter of
    both holds. `notifiers` are told when a run waits for a person. `model` is the
    workflow's own model, used where the engine is given none.
    """

    name: str
    instructions: str
    tools: Sequence[Tool] = ()
    limits: Limits = field(default_factory=Limits)
    model: ModelClient | None = None
    approval: Policy | None = None
    notifiers: Sequence[Notifier] = ()

    def __post_init__(self) -> None:
        """Refuse, with DefinitionError, a bad name, something that is no tool, a name twice."""
        if not _WORKFLOW_NAME.fullmatch(self.name):
            raise DefinitionError(
                f"workflow {self.name!r}: a name is 1 to 64 letters, digits, _, . or -"
            )
        if fault := fault_of(self.approval):
            raise DefinitionError(f"workflow {self.name}: {fault}")
        object.__setattr__(self, "tools", tuple(self.tools))
        object.__setattr__(self, "notifiers", tuple(self.notifiers))
        names = [one.name for one in self.notifiers]
        if len(set(names)) < len(names):
            raise DefinitionError(f"workflow {self.name}: two notifiers have one name: {names}")
        seen: set[str] = set()
        for tool in self.tools:
            if not isinstance(tool, Tool):
                raise DefinitionError(
                    f"workflow {self.name}: {tool!r} is no Tool; decorate it with @tool"
                )
            if tool.name in seen:
                raise DefinitionError(f"workflow {self.name}: two tools are named {tool.name}")
            seen.add(tool.name)

    @cached_property
    def definition(self) -> str:
        """A digest (16 hex characters) of all that is declared here about what a run may do."""
        tools: list[JsonValue] = [
            {
                "name": tool.name,
                "description": tool.description,
                "schema": tool.schema_digest,
                "approval": declared(tool.approval),
                "hints": [tool.read_only, tool.destructive, tool.idempotent, tool.transactional],
                "key_ttl": tool.key_ttl,
            }
            for tool in self.tools
        ]
        whole: dict[str, JsonValue] = {
            "name": self.name,
            "instructions": self.instructions,
            "tools": tools,
            "approval": declared(self.approval),
            **dict(self.limits),
        }
        return digest(whole)[:16]

    @cached_property
    def schemas(self) -> dict[str, str]:
        """The digest of each tool's schema, by the tool's name."""
        return {tool.name: tool.schema_digest for tool in self.tools}

    def demand(self, name: str, arguments: Arguments, run: Run) -> Demand:
        """What has to be met before a call of that tool may run: the stricter of both policies.

        Where neither says anything, a person is asked, unless the tool only reads.
        """
        tool = self.tool(name)
        own = tool.approval if tool else None
        policies = [(own, f"tool {name}"), (self.approval, f"workflow {self.name}")]
        said = [demanded(policy, at, name, arguments, run) for policy, at in policies]
        demands = [one for one in said if one is not None]
        if not demands:
            return Demand(ask="never" if tool and tool.read_only else "always")
        return reduce(Demand.stricter, demands)

    @property
    def wants_starter(self) -> bool:
        """Whether a policy may ask for somebody else than who started the run."""
        return any(map(wants_four_eyes, (self.approval, *(one.approval for one in self.tools))))

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)

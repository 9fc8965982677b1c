"""What authors declare: a workflow with its tools, and the model port they may bring."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Literal, Protocol, runtime_checkable

from pydantic import JsonValue

from engine.core.canonical import digest
from engine.core.context_policy import Context
from engine.core.demand import Demand
from engine.core.limits import Limits
from engine.core.memory import Memory
from engine.core.messages import Arguments, Message, Usage
from engine.core.notices import Notifier
from engine.core.policy import Policy, declared, demanded, fault_of, wants_four_eyes
from engine.core.run import Run
from engine.core.sizes import tokens_in, tokens_of
from engine.core.terms import declared_terms
from engine.core.tool import Tool
from engine.errors import DefinitionError

_WORKFLOW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked: what it is sent of the transcript, and the tools it may call.

    `purpose` is "summary" where it is to sum up what it is sent, `variant` what else tells
    a request from others of the same turn and attempt.
    """

    run_id: str
    turn: int
    attempt: int
    messages: tuple[Message, ...]
    tools: Sequence[Tool]
    purpose: Literal["turn", "summary"] = "turn"
    variant: str = ""

    @property
    def idempotency_key(self) -> str:
        """A key (32 hex characters) for this one attempt, the same whoever makes it."""
        others = [self.purpose, self.variant] if self.variant else []
        return digest([self.run_id, self.turn, self.attempt, *others])[:32]


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


OnDelta = Callable[[str], None]


@runtime_checkable
class StreamingModel(Protocol):
    """A ModelClient that can also tell a reply while it is being made."""

    async def stream(self, request: ModelRequest, on_delta: OnDelta) -> ModelReply:
        """The same reply as `complete` gives, raising alike; its text was told piece by piece.

        `on_delta` is called in the event loop, returns at once and never raises. A reply
        that ends without saying why it stopped is none: TransientModelError.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """Instructions, tools and bounds under a name; `context` is how much a model is sent at once.

    `approval` is the policy for all its tools; where a tool has its own, the stricter of
    both holds. `notifiers` are told when a run waits for a person. `model` is the
    workflow's own model, used where the engine is given none. The values of the keys in
    `redact`, whatever their case, are not told outside the store. With a `memory` it has the
    tools remember, recall and forget, too.
    """

    name: str
    instructions: str
    tools: Sequence[Tool] = ()
    limits: Limits = field(default_factory=Limits)
    model: ModelClient | None = None
    approval: Policy | None = None
    notifiers: Sequence[Notifier] = ()
    redact: Sequence[str] = ()
    context: Context = field(default_factory=Context)
    memory: Memory | None = None

    def __post_init__(self) -> None:
        """Refuse, with DefinitionError, a bad name, something that is no tool, a name twice."""
        if not _WORKFLOW_NAME.fullmatch(self.name):
            raise DefinitionError(
                f"workflow {self.name!r}: a name is 1 to 64 letters, digits, _, . or -"
            )
        if fault := fault_of(self.approval):
            raise DefinitionError(f"workflow {self.name}: {fault}")
        self._require_shapes()
        object.__setattr__(self, "tools", self._all_tools())
        object.__setattr__(self, "notifiers", tuple(self.notifiers))
        object.__setattr__(self, "redact", tuple(self.redact))
        names = [one.name for one in self.notifiers]
        if len(set(names)) < len(names):
            raise DefinitionError(f"workflow {self.name}: two notifiers have one name: {names}")
        self._require_tools()
        self._require_room()

    def _require_shapes(self) -> None:
        for name, given, wanted in (
            ("limits", self.limits, Limits),
            ("context", self.context, Context),
            ("memory", self.memory, Memory),
        ):
            if not isinstance(given, wanted) and (name, given) != ("memory", None):
                what = wanted.__name__
                raise DefinitionError(f"workflow {self.name}: {name}: {given!r} is no {what}")

    def _require_tools(self) -> None:
        seen: set[str] = set()
        for tool in self.tools:
            if not isinstance(tool, Tool):
                raise DefinitionError(
                    f"workflow {self.name}: {tool!r} is no Tool; decorate it with @tool"
                )
            if tool.name in seen:
                raise DefinitionError(f"workflow {self.name}: two tools are named {tool.name}")
            seen.add(tool.name)

    def _all_tools(self) -> tuple[Tool, ...]:
        """The author's own tools, and those that come with a memory."""
        if self.memory is None:
            return tuple(self.tools)
        from engine.core.memory_tools import MEMORY_TOOLS

        own = [one for one in self.tools if not any(one is built_in for built_in in MEMORY_TOOLS)]
        return (*own, *MEMORY_TOOLS)

    def _require_room(self) -> None:
        most = self.context.max_tokens
        least = tokens_in((Message(role="system", content=self.instructions),))
        least += tokens_of(self.tools)
        if most is not None and least >= most:
            words = f"max_tokens={most} is too small: instructions and tools take about {least}"
            raise DefinitionError(f"workflow {self.name}: context: {words}")

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
                **declared_terms(tool),
            }
            for tool in self.tools
        ]
        whole: dict[str, JsonValue] = {
            "name": self.name,
            "instructions": self.instructions,
            "tools": tools,
            "approval": declared(self.approval),
            **self.limits.declared,
            **({"redact": list(self.redact)} if self.redact else {}),
            **({"context": self.context.declared} if self.context.declared else {}),
            **({"memory": self.memory.declared} if self.memory else {}),
        }
        return digest(whole)[:16]

    @cached_property
    def secrets(self) -> dict[str, tuple[str, ...]]:
        """The secret parameters of each tool that has some, by the tool's name."""
        return {tool.name: tool.secrets for tool in self.tools if tool.secrets}

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

    def attempts(self, tool: Tool) -> int:
        """How many attempts at one call of the tool are made in all."""
        return tool.max_attempts or self.limits.max_attempts

    @property
    def wants_starter(self) -> bool:
        """Whether a policy may ask for somebody else than who started the run."""
        return any(map(wants_four_eyes, (self.approval, *(one.approval for one in self.tools))))

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self.tools}

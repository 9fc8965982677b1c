"""What a run is after its newest event."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeVar

from pydantic import JsonValue

from engine.core.conditions import Conditions
from engine.core.demand import Demand
from engine.core.limits import Bound
from engine.core.messages import Arguments, Message, ToolCall, ToolResult, Usage
from engine.core.shape import Shape
from engine.core.states import ApprovalKind, Repeats, State

HEAD = 2  # the instructions and the first message, which are always sent

_Named = TypeVar("_Named", "Call", ToolCall)

CallStatus = Literal["requested", "waiting", "granted", "started", "interrupted", "settled"]


class Call(Shape):
    """One tool call of the current turn, and how far it has come.

    Found `started` or `interrupted`, it is in doubt. `error` is why its last attempt
    came to nothing; the next one may begin at `retry_at`.
    """

    id: str
    tool: str
    status: CallStatus = "requested"
    attempt: int = 0
    approval_id: str | None = None
    digest: str | None = None
    arguments: Arguments | None = None  # what it was last started with
    started_at: datetime | None = None  # for the first time
    begun_at: datetime | None = None  # for the last time
    error: str | None = None
    retry_at: datetime | None = None
    repeats: Repeats | None = None  # what its tool said when it was last started
    doubtful: bool = False  # whether an attempt before the last one may have happened
    reconciled: bool = False  # looked up since its last start, in vain
    accepted: str | None = None  # the digest of the changed action that a person accepted
    edited: Arguments | None = None  # by a person, in the place of the model's
    edits: str | None = None  # how, in words
    batch: bool = False  # granted, but waits for the turn's other approvals
    lost: bool = False  # what it was to run with is not known any more

    @property
    def in_doubt(self) -> bool:
        """Whether its last attempt may have had an effect that nobody knows of."""
        return self.status in ("started", "interrupted") and self.repeats not in (
            "read_only",
            "transactional",
        )


Occasion = Literal["requested", "changed", "reminded", "escalated"]


class Untold(Shape):
    """A notifier that has not been told of an approval yet, and when it is tried again."""

    notifier: str
    attempt: int = 0
    retry_at: datetime | None = None


class StickyRule(Shape):
    """What a person allowed beforehand, in this run; see StickyRuleAdded."""

    id: str
    tool: str
    when: Conditions
    schema_digest: str
    terms: str
    by: str
    at: datetime


class Approval(Shape):
    """An open question to a person, bound to one exact action by `digest`.

    `words` are the model's own before the call; at a limit, what was found. `grants` are the
    people who agreed so far. Where somebody (`edited_by`) changed the arguments, `original`
    has them as they were.
    """

    approval_id: str
    kind: ApprovalKind
    call_id: str
    tool: str
    arguments: Arguments
    digest: str
    reason: str | None = None
    requested_at: datetime
    words: str | None = None
    demand: Demand = Demand()
    expires_at: datetime | None = None
    remind_at: datetime | None = None
    grants: tuple[str, ...] = ()
    original: Arguments | None = None
    edited_by: str | None = None
    form: dict[str, JsonValue] | None = None
    notify: tuple[str, ...] = ()
    untold: tuple[Untold, ...] = ()
    occasion: Occasion = "requested"  # why the notifiers are told

    @property
    def about(self) -> str:
        """What it is about: a tool and its call, or a limit."""
        return f"{self.tool} ({self.call_id})" if self.call_id else f"the limit {self.tool}"


class PendingApproval(Approval):
    """An open approval, with the run that waits for it.

    `started_by` is whose run it is, `unread` how many messages came that the model has
    not seen yet.
    """

    run_id: str
    workflow: str
    started_by: str | None = None
    unread: int = 0


def pending_of(run: "Checkpoint", approval: Approval) -> PendingApproval:
    """An open approval of a run, with what there is to know of the run."""
    return PendingApproval.trusted(
        **approval.__dict__,
        run_id=run.id,
        workflow=run.workflow,
        started_by=run.by,
        unread=run.unread,
    )


class Verdict(Shape):
    """What a person said about one approval; "expired" where nobody did.

    `kind` is what they were asked, `said` what the model reads of it, `arguments` what the
    person changed them to.
    """

    approval_id: str
    call_id: str
    kind: ApprovalKind = "tool_call"
    verdict: Literal["granted", "denied", "answered", "expired"]
    by: str
    at: datetime
    digest: str = ""
    said: str | None = None
    note: str | None = None
    arguments: Arguments | None = None


class Origin(Shape):
    """From which run, up to which of its events, a run was forked."""

    run_id: str
    seq: int


class Compaction(Shape):
    """What of the transcript a model is sent; see ContextCompacted.

    The newest summary was given at `summary_at`, a seq.
    """

    start: int = HEAD
    noted: int = 0
    summary_at: int | None = None


class Overflow(Shape):
    """How often in a row what the model was sent, or what it had to say, was too long.

    `cut` where the latter was so the last time, `compacted` where it is sent less since.
    `attempt` was the newest such try of the turn.
    """

    times: int
    attempt: int
    cut: bool
    compacted: bool = False


class Checkpoint(Shape):
    """The run without its transcript: small, bounded, and rewritten at every commit.

    `limit` is the bound that it has reached, `raised` what people added to its bounds.
    `seconds` is how long models and tools worked, `cost` what the model's tries came to in
    USD, None where that of any is unknown. The first `context_messages` of the transcript are
    `context_tokens`, as the model counted last, and as is estimated since; `tools_counted` where
    the tools are in it. The model may read `window` tokens; of what it is sent, `compacted`
    says what is left out. `secrets` and `redact` say what of
    it must not be told; see RunStarted.
    """

    id: str
    workflow: str
    by: str | None = None  # who started it
    customer: str | None = None  # whom it is about
    origin: Origin | None = None
    state: State
    seq: int
    started_at: datetime
    updated_at: datetime
    answer: str | None = None
    reason: str | None = None
    limit: str | None = None
    found: str | None = None
    last_words: Literal["due", "given"] | None = None  # the model's, at a limit
    turns: int = 0
    tool_calls: int = 0  # that the model asked for
    usage: Usage = Usage()
    cost: Decimal | None = Decimal()
    last_cost: Decimal | None = Decimal()  # of its newest try
    seconds: float = 0.0
    context_tokens: int = 0
    context_messages: int = 0
    tools_counted: bool = False
    window: int | None = None
    compacted: Compaction | None = None
    overflowed: Overflow | None = None
    raised: Mapping[Bound, Decimal] = {}
    looped_at: int | None = None  # how long the transcript was when the model was told of a loop
    failures: int = 0
    failure: str | None = None
    retry_at: datetime | None = None
    asked: int = 0
    ruled: int = 0
    rules: tuple[StickyRule, ...] = ()
    unread: int = 0
    sums_up: bool = False  # Done, and a summary is still to be made
    calls: tuple[Call, ...] = ()
    approvals: tuple[Approval, ...] = ()
    secrets: Mapping[str, tuple[str, ...]] = {}
    redact: tuple[str, ...] = ()


class Run(Checkpoint):
    """The whole run: its checkpoint, its transcript, and the results of the open turn.

    `long_results` are, whole, all those of which the model was shown a part.
    `inbox` are messages that came in the midst of a turn; the model sees them at its next.
    `gave` is what the newest turn with a result gave.

    `verdicts` are those of all its approvals, the oldest first. `definition` and `tools`
    are the digests of the workflow that it runs under. `summary` is the newest, of what the
    model is not sent any more. `erased` where what was said in it is gone, as was asked for.
    """

    messages: tuple[Message, ...] = ()
    results: tuple[ToolResult, ...] = ()
    long_results: tuple[ToolResult, ...] = ()
    gave: tuple[str, ...] = ()
    inbox: tuple[Message, ...] = ()
    summary: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    definition: str = ""
    tools: Mapping[str, str] = {}
    erased: bool = False

    def call(self, call_id: str) -> Call:
        """The call of the current turn with that id; KeyError if there is none."""
        return _find(self.calls, call_id)

    def approval(self, approval_id: str) -> Approval:
        """The open approval of that id; KeyError if there is none."""
        for one in self.approvals:
            if one.approval_id == approval_id:
                return one
        raise KeyError(approval_id)

    def tool_call(self, call_id: str) -> ToolCall:
        """What the model asked for under that id in the current turn; KeyError if nothing."""
        return _find(self.messages[-1].tool_calls, call_id)

    def checkpoint(self) -> Checkpoint:
        """This run as it is kept beside the journal."""
        fields = self.__dict__
        return Checkpoint.trusted(**{name: fields[name] for name in Checkpoint.model_fields})


def _find(among: tuple[_Named, ...], wanted: str) -> _Named:
    for one in among:
        if one.id == wanted:
            return one
    raise KeyError(wanted)

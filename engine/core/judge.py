"""What becomes of one call of the open turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core import events as ev
from engine.core.canonical import action_digest, digest, idempotency_key, parse_object
from engine.core.conditions import hold
from engine.core.demand import Demand
from engine.core.effects import Park, Reconcile
from engine.core.messages import Arguments
from engine.core.nearest import did_you_mean, quoted
from engine.core.run import Call, Run
from engine.core.schema import ArgumentsError
from engine.core.states import ApprovalKind
from engine.core.tool import Tool
from engine.core.workflow import Workflow

Judgement = (
    ev.ToolFailed | ev.ToolReturned | ev.ToolStarted | ev.ApprovalRequested | Reconcile | Park
)


def judge(  # noqa: PLR0911 # a judgement a line
    run: Run, workflow: Workflow, call: Call, now: datetime
) -> Judgement:
    """Refuse the call, start it, ask a person, look up what came of it, or wait."""
    case = _Case(run, workflow, call, now)
    tool = workflow.tool(call.tool)
    if call.status in ("started", "interrupted"):
        return case.doubt(tool)
    if changed := case.changed(tool):
        return changed
    if tool is None:
        words = _no_such_tool(call.tool, [one.name for one in workflow.tools])
        return ev.ToolFailed(call_id=call.id, error=words)
    if call.attempt == 0 and (refused := case.too_many()):
        return ev.ToolFailed(call_id=call.id, error=refused)
    if call.error and call.attempt >= workflow.attempts(tool):
        words = f"Not executed, after {call.attempt} attempts: {call.error}"
        return ev.ToolFailed(call_id=call.id, error=words)
    if case.waits:
        return Park(until=call.retry_at)
    return case.start(tool)


def _no_such_tool(name: str, tools: Sequence[str]) -> str:
    guess = did_you_mean(name, tools)
    known = f"The tools are: {', '.join(tools) or 'none'}."
    return " ".join(filter(None, (f"There is no tool {quoted(name)}.", guess, known)))


def terms_of(demand: Demand) -> str:
    """A short digest (16 hex characters) of what a policy demands of everybody alike."""
    return digest(demand.identity)[:16]


@dataclass(frozen=True, slots=True)
class _Case:
    """One call, with all that bears on it."""

    run: Run
    workflow: Workflow
    call: Call
    now: datetime

    @property
    def waits(self) -> bool:
        """Whether the next attempt is to be made later; a clock set back is not waited for."""
        retry_at = self.call.retry_at
        return retry_at is not None and self.run.updated_at <= self.now < retry_at

    def too_many(self) -> str | None:
        """Why no call may be made any more, or not this one; None where it may."""
        if self.run.last_words:
            return "No tool can be called any more: answer with what you know."
        most = self.workflow.limits.raised(self.run.raised).max_tool_calls
        if self.run.tool_calls <= most:
            return None
        before = self.run.tool_calls - len(self.run.calls)
        number = before + [one.id for one in self.run.calls].index(self.call.id) + 1
        if number <= most:
            return None
        return f"Not made: the {number - 1} tool calls before it are all that this run may make."

    def start(self, tool: Tool) -> Judgement:  # noqa: PLR0911 # a judgement a line
        """Start it, if that is allowed; else ask."""
        call = self.call
        try:
            arguments = self._arguments(tool)
        except ArgumentsError as error:
            words = f"Invalid arguments for {tool.name}: {error}"
            return ev.ToolFailed(call_id=call.id, error=words)
        demand = self.workflow.demand(tool.name, arguments, self.run)
        if tool.form is not None:
            return self._ask("question", arguments, demand)
        if call.status == "granted" and call.digest == tool.digest(arguments, demand):
            return self._run(tool, arguments)
        if call.status == "requested" and demand.ask != "always":
            audit = demand.source if demand.ask == "audit" else None
            return self._run(tool, arguments, audit=audit)
        if rule := self._rule(tool, arguments, demand):
            return self._run(tool, arguments, rule=rule)
        if call.attempt > 0 and call.error is None:
            return self._ask("in_doubt", arguments, demand)
        return self._ask("tool_call", arguments, demand)

    def doubt(self, tool: Tool | None) -> Judgement:
        """What becomes of a call that is found started, whatever today's code makes of it.

        It has lost its result, since a live call gets its own before anything is decided:
        it is looked up where the tool offers that, and only a repeatable tool goes again,
        with the arguments that it was started with.
        """
        call, arguments = self.call, self.call.arguments or {}
        if call.lost:
            arguments = self._as_asked()
            demand = self.workflow.demand(call.tool, arguments, self.run)
            return self._ask("in_doubt", arguments, demand, call.error)
        if tool is not None and tool.reconcile is not None and not call.reconciled:
            return Reconcile((self._intent(tool, arguments, call.attempt),))
        demand = self.workflow.demand(call.tool, arguments, self.run)
        rule = self._rule(tool, arguments, demand) if tool else None
        why_not: str | None = "the tool is gone"
        if tool is not None:
            why_not = self._why_not_again(tool, arguments, demand, rule)
        if why_not is None and tool is not None:
            if self.waits:
                return Park(until=call.retry_at)
            return self._intent(tool, arguments, call.attempt + 1, rule=rule)
        reason = f"{call.error or 'its driver stopped while it ran'}; {why_not}"
        return self._ask("in_doubt", arguments, demand, reason)

    def changed(self, tool: Tool | None) -> ev.ApprovalRequested | None:
        """The question whether it may go on, where its tool is no longer what the model saw."""
        name = self.call.tool
        known, today = self.run.tools.get(name), tool and tool.schema_digest
        if known is None or known == today:
            return None
        how = "has another schema than when" if tool else "is gone from the workflow since"
        reason = f"the tool {name} {how} the model asked for it"
        arguments = self._as_asked()
        request = self._ask("changed", arguments, self._authority(arguments), reason)
        return None if self.call.accepted == request.digest else request

    def _authority(self, arguments: Arguments) -> Demand:
        """Who may accept a change; today's policy judges the call itself afterwards."""
        demand = self.workflow.demand(self.call.tool, arguments, self.run)
        return Demand(roles=demand.roles, four_eyes=demand.four_eyes)

    def _arguments(self, tool: Tool) -> Arguments:
        """What it runs with: as it was started before, as a person changed it, or as asked for.

        Raises ArgumentsError where today's schema does not take what the model wrote.
        """
        for known in (self.call.arguments, self.call.edited):
            if known is not None:
                return known
        return tool.validate(self.run.tool_call(self.call.id).function.arguments)

    def _as_asked(self) -> Arguments:
        """The arguments as the model wrote them; none where they are no JSON object."""
        try:
            return parse_object(self.run.tool_call(self.call.id).function.arguments or "{}")
        except ValueError:
            return {}

    def _rule(self, tool: Tool, arguments: Arguments, demand: Demand) -> str | None:
        """The id of the rule by which a person allowed this beforehand, or None.

        A rule holds for the schema and the demand under which it was made, and no other.
        """
        action = (tool.name, tool.schema_digest, terms_of(demand))
        for rule in self.run.rules:
            same = (rule.tool, rule.schema_digest, rule.terms) == action
            if same and hold(rule.when, arguments):
                return rule.id
        return None

    def _why_not_again(  # noqa: PLR0911 # a reason a line
        self, tool: Tool, arguments: Arguments, demand: Demand, rule: str | None
    ) -> str | None:
        """Why a call in doubt is not simply started again; None where it is."""
        call = self.call
        if not tool.repeatable:
            return "the tool may not be repeated unasked"
        if call.repeats != tool.repeats:
            return "the tool could not be repeated so when it was started"
        if self.run.tools.get(call.tool, tool.schema_digest) != tool.schema_digest:
            return "the tool has another schema since"
        if demand.ask == "always" and rule is None:
            if call.approval_id is None:
                return "the tool needs approval now"
            if call.digest != tool.digest(arguments, demand):
                return "the policy has changed since it was approved"
        if call.attempt >= self.workflow.attempts(tool):
            return f"it was started {call.attempt} times"
        if tool.key_ttl is not None and call.started_at is not None:
            age = (self.now - call.started_at).total_seconds()
            if not 0 <= age <= tool.key_ttl:  # below 0: the clock was set back, so nobody knows
                return f"its key may be forgotten after {tool.key_ttl:g} s"
        return None

    def _ask(
        self, kind: ApprovalKind, arguments: Arguments, demand: Demand, reason: str | None = None
    ) -> ev.ApprovalRequested:
        """The question to a person; its id is given when it is recorded."""
        tool = self.workflow.tool(self.call.tool)
        schema = tool.parameters if tool else {}
        terms = demand.lasting() if kind == "in_doubt" else demand
        return ev.ApprovalRequested(
            approval_id="",
            approval_kind=kind,
            call_id=self.call.id,
            tool=self.call.tool,
            arguments=arguments,
            digest=action_digest(self.call.tool, arguments, schema, demand.identity),
            reason=reason,
            demand=terms.model_copy(update={"ask": "always"}),
            expires_at=self._after(terms.expires_in),
            remind_at=self._after(demand.remind_every),
            notify=tuple(one.name for one in self.workflow.notifiers),
            form=tool.form.schema(arguments) if tool and tool.form else None,
        )

    def _after(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self.now + timedelta(seconds=seconds)

    def _run(
        self, tool: Tool, arguments: Arguments, *, audit: str | None = None, rule: str | None = None
    ) -> ev.ToolStarted | ev.ToolReturned | ev.ToolFailed:
        """Its next attempt; what is known from the run alone is its result already."""
        if tool.from_run is None:
            return self._intent(tool, arguments, self.call.attempt + 1, audit=audit, rule=rule)
        try:
            words = tool.from_run(self.run, arguments, self.workflow.limits.max_result_chars)
        except ArgumentsError as error:
            return ev.ToolFailed(call_id=self.call.id, error=str(error))
        return ev.ToolReturned(call_id=self.call.id, content=words)

    def _intent(
        self,
        tool: Tool,
        arguments: Arguments,
        attempt: int,
        *,
        audit: str | None = None,
        rule: str | None = None,
    ) -> ev.ToolStarted:
        return ev.ToolStarted(
            call_id=self.call.id,
            tool=tool.name,
            arguments=arguments,
            attempt=attempt,
            idempotency_key=idempotency_key(self.run.id, self.call.id),
            approval_id=self.call.approval_id or rule,
            repeats=tool.repeats,
            audit=audit,
        )

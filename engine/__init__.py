"""The front door of Waystation: AI agents as explicit, persisted state machines.

A name is imported when it is first used, so that a command which only looks pays
for little.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.api.rebuilding import Rebuilt, rebuild
    from engine.api.replaying import logged_runs, replay
    from engine.core import events
    from engine.core.approvers import Approvers
    from engine.core.commands import Answer, Approve, Deny
    from engine.core.context import ToolContext
    from engine.core.context_policy import Context, drop_old_results, keep_last, summarise
    from engine.core.demand import Escalation
    from engine.core.limits import Limits
    from engine.core.machine import legal_triggers, next_state
    from engine.core.memory import Embedder, Fact, Memory
    from engine.core.messages import Message, Usage
    from engine.core.notices import Notice, Notifier
    from engine.core.policy import ApprovalPolicy, Rule
    from engine.core.questions import ask_person
    from engine.core.reading import read_result
    from engine.core.run import Approval, Checkpoint, PendingApproval, Run
    from engine.core.states import State
    from engine.core.tool import Tool
    from engine.core.tools import tool
    from engine.core.updates import (
        ApprovalAsked,
        Moved,
        TextDelta,
        ToolBegan,
        ToolEnded,
        Update,
    )
    from engine.core.workflow import (
        ModelClient,
        ModelReply,
        ModelRequest,
        StreamingModel,
        Workflow,
    )
    from engine.errors import (
        ArchivedRunError,
        BadInputError,
        ConflictError,
        ContextOverflowError,
        CorruptRunError,
        DefinitionError,
        EngineError,
        IllegalTransitionError,
        NotAllowedError,
        NotExecuted,
        NotifyError,
        PermanentModelError,
        RefusedError,
        RunBusy,
        RunTooNewError,
        StoreError,
        TransientModelError,
        UnknownRunError,
        UnreadableRunError,
        UnverifiedRunError,
    )
    from engine.evals.cases import Case, CaseVerdict, Expect, ExpectedAnswer, ExpectedCall
    from engine.evals.evaluate import evaluate
    from engine.evals.files import read_cases
    from engine.evals.results import CaseResult, Evaluation
    from engine.keeping.archive import Archiving
    from engine.keeping.forget import Forgetting
    from engine.logs.reading import Tally
    from engine.logs.runs import LoggedRun
    from engine.models.openai import OpenAIModel
    from engine.models.scripted import ScriptedModel
    from engine.notifiers.command import CommandNotifier
    from engine.notifiers.log import LogNotifier
    from engine.notifiers.webhook import WebhookNotifier
    from engine.ports import Entry
    from engine.prices import Price
    from engine.rates.limit import RateLimit
    from engine.rates.turns import RateLimited
    from engine.replaying.compare import Comparison, compare
    from engine.replaying.divergence import Divergence
    from engine.replaying.live import rerun_live
    from engine.replaying.rerun import rerun
    from engine.replaying.summary import Summary
    from engine.replaying.totals import Statistics
    from engine.runtime.verify import Anchor, Examined
    from engine.runtime.watching import Updates

__all__ = [
    "Anchor",
    "Answer",
    "Approval",
    "ApprovalAsked",
    "ApprovalPolicy",
    "Approve",
    "Approvers",
    "ArchivedRunError",
    "Archiving",
    "BadInputError",
    "Case",
    "CaseResult",
    "CaseVerdict",
    "Checkpoint",
    "CommandNotifier",
    "Comparison",
    "ConflictError",
    "Context",
    "ContextOverflowError",
    "CorruptRunError",
    "DefinitionError",
    "Deny",
    "Divergence",
    "Embedder",
    "Engine",
    "EngineError",
    "Entry",
    "Escalation",
    "Evaluation",
    "Examined",
    "Expect",
    "ExpectedAnswer",
    "ExpectedCall",
    "Fact",
    "Forgetting",
    "IllegalTransitionError",
    "Limits",
    "LogNotifier",
    "LoggedRun",
    "Memory",
    "Message",
    "ModelClient",
    "ModelReply",
    "ModelRequest",
    "Moved",
    "NotAllowedError",
    "NotExecuted",
    "Notice",
    "Notifier",
    "NotifyError",
    "OpenAIModel",
    "PendingApproval",
    "PermanentModelError",
    "Price",
    "RateLimit",
    "RateLimited",
    "Rebuilt",
    "RefusedError",
    "Rule",
    "Run",
    "RunBusy",
    "RunTooNewError",
    "ScriptedModel",
    "State",
    "Statistics",
    "StoreError",
    "StreamingModel",
    "Summary",
    "Tally",
    "TextDelta",
    "Tool",
    "ToolBegan",
    "ToolContext",
    "ToolEnded",
    "TransientModelError",
    "UnknownRunError",
    "UnreadableRunError",
    "UnverifiedRunError",
    "Update",
    "Updates",
    "Usage",
    "WebhookNotifier",
    "Workflow",
    "ask_person",
    "compare",
    "drop_old_results",
    "evaluate",
    "events",
    "keep_last",
    "legal_triggers",
    "logged_runs",
    "next_state",
    "read_cases",
    "read_result",
    "rebuild",
    "replay",
    "rerun",
    "rerun_live",
    "summarise",
    "tool",
]

_HOMES = {
    "engine.api": "Engine",
    "engine.api.rebuilding": "Rebuilt rebuild",
    "engine.api.replaying": "logged_runs replay",
    "engine.core": "events",
    "engine.core.approvers": "Approvers",
    "engine.core.commands": "Answer Approve Deny",
    "engine.core.context": "ToolContext",
    "engine.core.context_policy": "Context drop_old_results keep_last summarise",
    "engine.core.demand": "Escalation",
    "engine.core.machine": "legal_triggers next_state",
    "engine.core.limits": "Limits",
    "engine.core.memory": "Embedder Fact Memory",
    "engine.core.messages": "Message Usage",
    "engine.core.notices": "Notice Notifier",
    "engine.core.policy": "ApprovalPolicy Rule",
    "engine.core.questions": "ask_person",
    "engine.core.reading": "read_result",
    "engine.core.run": "Approval Checkpoint PendingApproval Run",
    "engine.core.states": "State",
    "engine.core.tools": "tool",
    "engine.core.tool": "Tool",
    "engine.core.updates": "ApprovalAsked Moved TextDelta ToolBegan ToolEnded Update",
    "engine.core.workflow": "ModelClient ModelReply ModelRequest StreamingModel Workflow",
    "engine.errors": (
        "ArchivedRunError BadInputError ConflictError ContextOverflowError CorruptRunError"
        " DefinitionError EngineError IllegalTransitionError NotAllowedError NotExecuted"
        " NotifyError PermanentModelError RefusedError RunBusy RunTooNewError StoreError"
        " TransientModelError UnknownRunError UnreadableRunError UnverifiedRunError"
    ),
    "engine.evals.cases": "Case CaseVerdict Expect ExpectedAnswer ExpectedCall",
    "engine.evals.evaluate": "evaluate",
    "engine.evals.files": "read_cases",
    "engine.evals.results": "CaseResult Evaluation",
    "engine.logs.reading": "Tally",
    "engine.logs.runs": "LoggedRun",
    "engine.keeping.archive": "Archiving",
    "engine.keeping.forget": "Forgetting",
    "engine.models.openai": "OpenAIModel",
    "engine.models.scripted": "ScriptedModel",
    "engine.notifiers.command": "CommandNotifier",
    "engine.notifiers.log": "LogNotifier",
    "engine.notifiers.webhook": "WebhookNotifier",
    "engine.prices": "Price",
    "engine.runtime.verify": "Anchor Examined",
    "engine.runtime.watching": "Updates",
    "engine.ports": "Entry",
    "engine.rates.limit": "RateLimit",
    "engine.rates.turns": "RateLimited",
    "engine.replaying.compare": "Comparison compare",
    "engine.replaying.divergence": "Divergence",
    "engine.replaying.live": "rerun_live",
    "engine.replaying.rerun": "rerun",
    "engine.replaying.summary": "Summary",
    "engine.replaying.totals": "Statistics",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """The public name, imported from its home; AttributeError for any other."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "events":
        return import_module("engine.core.events")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value

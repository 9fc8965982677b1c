"""The front door of Waystation: AI agents as explicit, persisted state machines."""

from engine.api import Engine
from engine.core import events
from engine.core.machine import legal_triggers, next_state
from engine.core.messages import Message, Usage
from engine.core.run import Approval, Checkpoint, PendingApproval, Run
from engine.core.states import State
from engine.core.tools import tool
from engine.core.workflow import Limits, ModelClient, ModelReply, ModelRequest, Tool, Workflow
from engine.errors import (
    BadInputError,
    ConflictError,
    CorruptRunError,
    EngineError,
    IllegalTransitionError,
    PermanentModelError,
    RefusedError,
    StoreError,
    TransientModelError,
    UnknownRunError,
)
from engine.models.openai import OpenAIModel
from engine.models.scripted import ScriptedModel

__all__ = [
    "Approval",
    "BadInputError",
    "Checkpoint",
    "ConflictError",
    "CorruptRunError",
    "Engine",
    "EngineError",
    "IllegalTransitionError",
    "Limits",
    "Message",
    "ModelClient",
    "ModelReply",
    "ModelRequest",
    "OpenAIModel",
    "PendingApproval",
    "PermanentModelError",
    "RefusedError",
    "Run",
    "ScriptedModel",
    "State",
    "StoreError",
    "Tool",
    "TransientModelError",
    "UnknownRunError",
    "Usage",
    "Workflow",
    "events",
    "legal_triggers",
    "next_state",
    "tool",
]

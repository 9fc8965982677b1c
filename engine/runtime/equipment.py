"""What runs are moved with: their workflows, models and prices."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.workflow import ModelClient, Workflow
from engine.errors import DefinitionError, UnknownWorkflowError
from engine.ports import Clock, Store, Transactional
from engine.prices import LISTED, Prices
from engine.runtime.drive import Driver
from engine.runtime.notebook import remembering
from engine.runtime.processes import require_importable
from engine.runtime.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Equipment:
    """Workflows by name, and what serves them; `model` serves every one, if it is given."""

    store: Store
    telemetry: Telemetry
    clock: Clock
    workflows: Mapping[str, Workflow]
    model: ModelClient | None = None
    prices: Prices = LISTED

    def driver(self, name: str, stopping: asyncio.Event | None = None) -> Driver:
        """What moves the runs of that workflow, until `stopping` if that is given.

        Raises as `workflow`, `model_of` and `require_priced`.
        """
        workflow = self.workflow(name)
        self.require_priced(workflow)
        with_what = (self.store, self.telemetry, self.clock, stopping, self.prices)
        return Driver(workflow, self.model_of(workflow), *with_what)

    def workflow(self, name: str) -> Workflow:
        """The workflow of that name; UnknownWorkflowError, DefinitionError where it cannot run."""
        if name not in self.workflows:
            known = ", ".join(sorted(self.workflows)) or "none"
            raise UnknownWorkflowError(
                f"there is no workflow {name!r}; there are: {known}; is another app meant (--app)?"
            )
        workflow = self.workflows[name]
        transactional = [tool.name for tool in workflow.tools if tool.transactional]
        if transactional and not isinstance(self.store, Transactional):
            raise DefinitionError(f"tool {transactional[0]} needs a store with transactions")
        if workflow.memory is not None:
            remembering(self.store)
        for tool in workflow.tools:
            if tool.isolation == "process":
                require_importable(tool)
        return workflow

    def model_of(self, workflow: Workflow) -> ModelClient:
        """The model that serves a workflow; DefinitionError where there is none."""
        model = self.model or workflow.model
        if model is None:
            raise DefinitionError(
                f"workflow {workflow.name} has no model of its own: give the engine one "
                "(for the command, set OPENAI_API_KEY or OPENAI_BASE_URL)"
            )
        return model

    def require_priced(self, workflow: Workflow) -> None:
        """Nothing; DefinitionError where a limit on the cost could not be kept."""
        name = getattr(self.model_of(workflow), "name", None)
        if workflow.limits.max_cost_usd is None or self.prices.knows(name):
            return
        raise DefinitionError(
            f"workflow {workflow.name} has max_cost_usd, and the price of its model "
            f"{name or '(which has no name)'} is not known: give it (prices), or take the limit off"
        )

"""A desk whose runs wait for people, and the command in this process."""

import asyncio
from typing import Any

import click
from click.testing import CliRunner, Result

from engine import ApprovalPolicy, Engine, Run, ScriptedModel, Workflow, ask_person, tool
from engine.cli.root import cli
from tests.runtime.test_engine import OK, SQLITE, calls


@tool(approval=ApprovalPolicy(when=lambda arguments, _: arguments["amount"] != 1, roles=["staff"]))
def pay(order: str, amount: float) -> str:
    """Pay."""
    return f"paid {amount} for {order}"


@tool(approval="audit")
def note(line: str) -> str:
    """Note."""
    return f"noted {line}"


PAY, NOTE = ("pay", {"order": "o1", "amount": 60}), ("note", {"line": "=1+1"})
ASK = ("ask_person", {"question": "Which colour?", "choices": ["red", "blue"]})
DESK = Workflow(
    name="desk",
    instructions="Help.",
    tools=(pay, note, ask_person()),
    model=ScriptedModel([calls(PAY, NOTE, ASK), OK, OK]),
)
WORKFLOWS = [DESK]
APPROVERS = '[approvers]\nann = ["staff"]\nbob = []\n'
STORE = ("--store", SQLITE, "--app", "tests.cli.desk:WORKFLOWS", "--approvers", "approvers.toml")


def begin(run_id: str = "r1", **more: Any) -> None:
    """A run that waits for two people's words, and has noted something down."""

    async def start() -> None:
        async with Engine(store=SQLITE, workflows=WORKFLOWS, **more) as engine:
            await engine.start("desk", "Hello", run_id, by="zoe")

    asyncio.run(start())


def stored(run_id: str = "r1") -> Run:
    """The run as it is now."""

    async def load() -> Run:
        async with Engine(store=SQLITE) as engine:
            return await engine.run(run_id)

    return asyncio.run(load())


def waystation(*words: str, keys: str | None = None) -> Result:
    """What the command gives, with these keys pressed."""
    runner = CliRunner()
    result = runner.invoke(cli, [*STORE, *words], input=keys, standalone_mode=False)
    if isinstance(result.exception, click.ClickException):
        result.output_bytes += result.exception.format_message().encode()
    return result

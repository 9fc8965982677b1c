"""The inside of a process that runs one call: what it is asked, and what it says, as JSON."""

import asyncio
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NoReturn

import orjson
from pydantic import ConfigDict

from engine.core.clean import clean_text
from engine.core.context import ToolContext, context_parameter
from engine.core.messages import Arguments
from engine.core.shape import Shape
from engine.core.tool import Tool
from engine.core.tools import tool as make_tool
from engine.runtime.acting import acting
from engine.runtime.failing import Raised
from engine.runtime.frames import framed, write
from engine.runtime.results import readable

Function = Callable[..., object]


class Asked(Shape):
    """One call: the function by module and name, its arguments, and where it is to run.

    `typed` where the arguments are read by the function's own type hints.
    """

    tool: str
    module: str
    name: str
    typed: bool
    arguments: Arguments
    run_id: str
    call_id: str
    attempt: int
    idempotency_key: str
    path: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]


class Said(Shape):
    """What came of it: the result's text, or the exception."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = None
    words: str = ""
    kinds: tuple[str, ...] = ()
    doubt: bool = False


def found(module: object, name: str) -> object:
    """What stands under that name, which may have dots, in a module; None where nothing does."""
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def work(asked: bytes, answer: int) -> NoReturn:
    """The end of this process, after the call was made and its answer written."""
    said = _said(Asked.model_validate_json(asked))
    write(answer, framed(orjson.dumps(said.model_dump(mode="json"))))
    os._exit(0)  # whatever the tool began here ends, too


def _said(asked: Asked) -> Said:
    try:
        _settle_in(asked)
        with acting(asked.tool):
            return Said(text=readable(_value(asked)))
    except BaseException as error:  # noqa: BLE001 # it is for the model, or a person, to read
        raised = Raised.of(error)
        return Said(words=raised.words, kinds=tuple(raised.kinds), doubt=raised.doubt)


def _settle_in(asked: Asked) -> None:
    """Nothing; this process is where the engine is, and prints nowhere."""
    os.environ.clear()
    os.environ.update(asked.environment)
    sys.path[:] = asked.path
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.chdir(asked.folder)


def _value(asked: Asked) -> object:
    function, named = _bound(asked)
    value = function(**named)
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: object) -> object:
    return await value if inspect.isawaitable(value) else value


def _bound(asked: Asked) -> tuple[Function, dict[str, object]]:
    function = found(import_module(asked.module), asked.name)
    if isinstance(function, Tool):
        declared: Tool | None = function
        function = function.function
    elif callable(function):
        declared = make_tool(name=asked.tool)(function) if asked.typed else None
    if not callable(function):
        raise TypeError(clean_text(f"{asked.module}.{asked.name} is no function"))
    named: dict[str, object] = {**asked.arguments}
    if declared is not None:
        named = declared.bind(asked.arguments)
    if context := context_parameter(asked.tool, function):
        key = asked.idempotency_key
        named[context] = ToolContext(asked.run_id, asked.call_id, asked.attempt, key)
    return function, named

"""Whether the answer of a run is what a case expects."""

import json
import re
from collections.abc import Awaitable, Iterator
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from typing import cast

from pydantic import JsonValue

from engine.core.run import Run
from engine.evals.cases import Expect, Judge
from engine.evals.course import Course
from engine.evals.words import cut, quoted
from engine.runtime.threads import in_own_thread


def check_answer(expect: Expect, course: Course) -> Iterator[str]:
    """What is wrong with the answer, in words; a judge is asked separately."""
    wanted, answer = expect.answer, course.run.answer
    if wanted is None:
        return
    for text in wanted.contains or ():
        if answer is None or text not in answer:
            yield f"answer: expected it to contain {quoted(text)}, got {quoted(answer)}"
    if wanted.regex is not None and (answer is None or not re.search(wanted.regex, answer)):
        yield f"answer: expected {wanted.regex} to be found in it, got {quoted(answer)}"
    if wanted.json_schema is not None:
        yield from _check_schema(wanted.json_schema, answer)


def _check_schema(schema: dict[str, JsonValue], answer: str | None) -> Iterator[str]:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    try:
        value = json.loads(answer or "")
    except (ValueError, RecursionError):
        yield f"answer: expected JSON, got {quoted(answer)}"
        return
    validator = Draft202012Validator(schema, registry=Registry())  # fetches nothing
    for fault in validator.iter_errors(value):
        where = ".".join(map(str, fault.absolute_path)) or "it"
        yield f"answer: expected JSON that fits the schema, got {where}: {cut(fault.message)}"


async def asked_of_judge(judge: Judge, run: Run) -> str | None:
    """Why the judge does not let the run pass; None where it does.

    Raises TypeError where it says neither yes or no nor why not, and what it raises itself.
    """
    said = await _said(judge, run)
    if isinstance(said, str):
        return f"judge: {cut(said)}; got {quoted(run.answer)}"
    if not isinstance(said, bool):
        raise TypeError(f"the judge gave {said!r}, which is neither a bool nor a reason")
    return None if said else f"judge: {_name(judge)} said no; got {quoted(run.answer)}"


async def _said(judge: Judge, run: Run) -> object:
    if iscoroutinefunction(judge):
        return await cast("Awaitable[object]", judge(run))
    said = await in_own_thread(run.id, partial(judge, run))  # it may take its time
    return await said if isawaitable(said) else said


def _name(judge: Judge) -> str:
    return str(getattr(judge, "__name__", type(judge).__name__))

"""The schema of the log says of every line what is in it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from engine.journal.schema import line_schema
from tests.logs.copies import write_log

JOURNALS = Path(__file__).parent.parent / "replay" / "journals"


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    Draft202012Validator.check_schema(line_schema())
    return Draft202012Validator(line_schema())


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_every_line_of_every_version_fits(schema: Draft202012Validator) -> None:
    logs = [*JOURNALS.glob("*/runs.jsonl"), await write_log()]
    told = [line for log in logs for line in lines(log)]
    assert len(told) > 300
    for line in told:
        schema.validate(line)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"digest": "abc"},
        {"at": 5},
        {"trigger": "slept"},
        {"data": {"message": 5}},
        {"data": {"kind": "run_started"}},
        {"schema": 99},
        {"event": "request"},
    ],
)
async def test_what_is_no_line_does_not_fit(
    schema: Draft202012Validator, change: dict[str, Any]
) -> None:
    line = lines(await write_log())[0]
    assert schema.is_valid(line)
    assert not schema.is_valid({**line, **change})

"""The command lists what is remembered, and erases it for one customer."""

import asyncio
import json

from click.testing import CliRunner, Result

from engine import Memory
from engine.cli.root import cli
from tests.runtime.remembering import TEA, told
from tests.runtime.test_engine import SQLITE

HOSTILE = ("remember", {"fact": "She\x1b[2J left\u202e"})


def waystation(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--store", SQLITE])


def begin() -> None:
    """A run about each of two customers."""
    asyncio.run(told(TEA, HOSTILE, run_id="r1", memory=Memory()))
    asyncio.run(told(TEA, customer="bob", run_id="r2", memory=Memory()))


def test_what_is_remembered_is_listed_with_what_wrote_it() -> None:
    begin()
    shown = waystation("memory", "--customer", "chloe").output
    assert "chloe  preference " in shown
    assert ": She likes green tea\n    2026-01-01 00:00:00 UTC, run r1, seq " in shown
    assert "call call_1_1" in shown
    assert ": Asked: Hello Answered: ok" in shown
    assert "bob" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert waystation("memory", "--limit", "1").output.count("UTC") == 1


def test_machines_read_every_field() -> None:
    begin()
    facts = json.loads(waystation("memory", "--json").output)
    assert len(facts) == 5
    assert facts[-1] == {
        "id": facts[-1]["id"],
        "scope": "chloe",
        "kind": "preference",
        "text": "She likes green tea",
        "run_id": "r1",
        "seq": facts[-1]["seq"],
        "at": "2026-01-01T00:00:00Z",
        "call_id": "call_1_1",
        "customer": "chloe",
    }


def test_a_customer_is_forgotten_and_that_is_on_record() -> None:
    begin()
    done = waystation("forget", "--customer", "chloe", "--by", "ann", "--reason", "she asked")
    assert "What was remembered: 3 notes erased." in done.output
    assert waystation("memory", "--customer", "chloe").output == "Nothing is remembered.\n"
    assert "3 erased by ann: she asked" in waystation("memory", "--erasures").output
    (row,) = json.loads(waystation("memory", "--erasures", "--json").output)
    assert (row["by"], row["facts"], row["reason"]) == ("ann", 3, "she asked")
    assert "bob" in waystation("memory").output


def test_what_makes_no_sense_is_one_clear_line() -> None:
    begin()
    assert waystation("memory", "--erasures", "--customer", "bob").exit_code == 2
    assert waystation("memory", "--limit", "0").exit_code == 1
    assert waystation("memory", "--customer", "nobody").output == "Nothing is remembered.\n"
    elsewhere = CliRunner().invoke(cli, ["memory", "--store", "sqlite:///nowhere.db"])
    assert (elsewhere.exit_code, elsewhere.stdout) == (0, "Nothing is remembered.\n")

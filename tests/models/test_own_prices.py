"""One's own prices, and limits on the cost of models that have none."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine import (
    BadInputError,
    DefinitionError,
    Engine,
    Limits,
    Message,
    ModelReply,
    ModelRequest,
    Price,
    State,
    Usage,
    Workflow,
)
from engine.prices import LISTED, Prices
from tests.cli.spoken import run
from tests.spec import look

USAGE = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=500_000)


def test_one_s_own_price_goes_before_the_lists() -> None:
    own = Prices({"gpt-5-mini": Price(input="1", output="4", cached="0.5", window=9)})
    assert own.cost("gpt-5-mini", USAGE) == Decimal("2.8")
    assert own.window("gpt-5-mini") == 9
    assert LISTED.cost("gpt-5-mini", USAGE) not in (None, Decimal("2.8"))
    assert (LISTED.window("gpt-5-mini") or 0) > 100_000
    whole = Price(input=1, output=4)
    assert whole.of(USAGE) == Decimal(3)
    assert whole.of(Usage(input_tokens=1, cached_tokens=2)) is None


def test_what_nobody_has_a_price_for_has_none() -> None:
    assert not LISTED.knows("a-model-of-nobody")
    assert not LISTED.knows(None)
    assert LISTED.window("a-model-of-nobody") is None


class Priced:
    """A model that has a name, and says how many tokens it took."""

    name = "ours"

    async def complete(self, request: ModelRequest) -> ModelReply:
        message = Message(role="assistant", content=f"turn {request.turn}")
        return ModelReply(message, usage=Usage(input_tokens=1000, output_tokens=10), model="ours")


def shop(**limits: Any) -> Workflow:
    return Workflow(name="shop", instructions="Help.", tools=[look], limits=Limits(**limits))


async def test_a_limit_on_an_unknown_cost_is_refused_at_the_start() -> None:
    made = Engine(store="memory://", workflows=[shop(max_cost_usd=1)], model=Priced())
    async with made as engine:
        with pytest.raises(DefinitionError, match="the price of its model ours is not known"):
            await engine.start("shop", "Hello", "r1")
        assert await engine.runs() == []


async def test_what_a_run_costs_is_in_its_journal_and_stops_it_in_time() -> None:
    prices = {"ours": Price(input=100, output=1000)}
    made = Engine(
        store="memory://", workflows=[shop(max_cost_usd="0.25")], model=Priced(), prices=prices
    )
    async with made as engine:
        done = await engine.start("shop", "Hello", "r1")
        assert (done.state, done.cost) == (State.Done, Decimal("0.11"))
        done = await engine.send("r1", "And now?")
        assert (done.state, done.cost) == (State.Done, Decimal("0.22"))
        over = await engine.send("r1", "And then?")
        assert (over.state, over.limit, over.found) == (State.Aborted, "max_cost_usd", "turn 2")
        on = await engine.raise_limits("r1", {"max_cost_usd": Decimal("0.1")}, by="ann")
        assert (on.state, on.cost, on.answer) == (State.Done, Decimal("0.33"), "turn 3")
        assert (await engine.summary("r1")).cost == Decimal("0.33")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[prices.ours]\ninput = -1\noutput = 1\n", "prices: ours: input"),
        ("[prices.ours]\ninput = 1\n", "prices: ours: say input and output"),
        ("[prices]\nours = 1\n", "prices: ours"),
        (
            "[prices.ours]\ninput = 1\noutput = 1\ncache = 0\n",
            "there is no 'cache'; there are input",
        ),
        ("ours = 1\n", "are not of the form"),
        ("[", "are not of the form"),
    ],
)
def test_prices_that_make_no_sense_are_one_line(said: str, words: str) -> None:
    Path("prices.toml").write_text(said)
    with pytest.raises(BadInputError, match=words):
        Engine(store="memory://", prices="prices.toml")
    spoken = run("start", "refunds", "Hello", "--prices", "prices.toml")
    assert (spoken.exit_code, spoken.stderr.count("\n")) == (1, 1)
    assert words in spoken.stderr


def test_prices_come_from_a_file_that_is_there() -> None:
    with pytest.raises(BadInputError, match=r"the prices nope\.toml cannot be read"):
        Engine(store="memory://", prices=Path("nope.toml"))
    Path("prices.toml").write_text('[prices."our/model"]\ninput = 0.5\noutput = 2\n')
    Engine(store="memory://", prices="prices.toml")


TWICE = ("max_turns=+1", "--raise", "max_turns=+2")


@pytest.mark.parametrize(
    "words", [("max_turns",), ("max_turns=10",), ("max_turns=+x",), ("=+1",), TWICE]
)
def test_a_limit_is_raised_in_words_that_can_be_read(words: tuple[str, ...]) -> None:
    said = run("resume", "r1", "--raise", *words)
    assert said.exit_code in (1, 2)
    assert "Traceback" not in said.stderr
    assert ("names a limit twice" in said.stderr) == (words == TWICE)

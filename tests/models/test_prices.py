"""What tokens cost."""

from decimal import Decimal

from engine.core.messages import Usage
from engine.prices import LISTED


def test_what_is_read_from_the_cache_costs_less() -> None:
    plain = LISTED.cost("gpt-5-mini", Usage(input_tokens=1000, output_tokens=100))
    cached = LISTED.cost(
        "gpt-5-mini", Usage(input_tokens=1000, cached_tokens=900, output_tokens=100)
    )
    assert plain is not None
    assert cached is not None
    assert Decimal(0) < cached < plain


def test_an_unknown_price_is_unknown_and_never_nothing() -> None:
    assert LISTED.cost("a-model-of-nobody", Usage(input_tokens=5)) is None
    assert LISTED.cost(None, Usage(input_tokens=5)) is None


def test_tokens_that_make_no_sense_have_no_price() -> None:
    assert LISTED.cost("gpt-5-mini", Usage(input_tokens=5, cached_tokens=9)) is None
    assert LISTED.cost("gpt-5-mini", Usage(input_tokens=-5)) is None

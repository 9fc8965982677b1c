"""What tokens cost, by the price lists that come with `genai-prices`."""

from decimal import Decimal

from engine.core.messages import Usage


def cost_of(model: str | None, usage: Usage) -> Decimal | None:
    """What `usage` costs in USD at that model's list price; None where the price is unknown.

    A price is never guessed, and an unknown one is never 0. It is unknown, too, where the
    tokens make no sense (an endpoint may say that more were cached than read).
    """
    if model is None:
        return None
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    try:
        tokens = Tokens(
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
        )
        return calc_price(tokens, model_ref=model).total_price
    except (LookupError, ValueError):
        return None

"""What tokens cost: by one's own prices, else by the lists that come with `genai-prices`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from engine.core.messages import Usage
from engine.core.shape import Shape
from engine.errors import BadInputError

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

_Amount = Decimal | float | str
_MILLION = 1_000_000


class Price(Shape):
    """What a million tokens of a model cost, in USD; `cached` ones cost as `input` where None.

    Reasoning tokens are output. `window` is how many tokens the model reads at most.
    """

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cached: Decimal | None = Field(default=None, ge=0)
    window: int | None = Field(default=None, gt=0, le=10**12, strict=True)

    def __init__(
        self,
        *,
        input: _Amount,  # noqa: A002 # as price lists say
        output: _Amount,
        cached: _Amount | None = None,
        window: int | None = None,
    ) -> None:
        """Take the prices; BadInputError for one that is none."""
        said = {"input": input, "output": output, "cached": cached, "window": window}
        try:
            super().__init__(**said)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise BadInputError(f"{where}: {fault['msg']}") from None

    def of(self, usage: Usage) -> Decimal | None:
        """What these tokens cost, in USD; None where more were cached than read."""
        fresh = usage.input_tokens - usage.cached_tokens
        if fresh < 0:
            return None
        cached = self.input if self.cached is None else self.cached
        read = fresh * self.input + usage.cached_tokens * cached
        return (read + usage.output_tokens * self.output) / _MILLION


class Prices:
    """The prices of models, by the names that endpoints give them."""

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        """Take one's own, which go before those of the lists."""
        self._own = dict(own or {})

    def cost(self, model: str | None, usage: Usage) -> Decimal | None:
        """What `usage` costs in USD at that model's price; None where the price is unknown.

        A price is never guessed, and an unknown one is never 0. It is unknown, too, where the
        tokens were not told, or make no sense (more cached than read).
        """
        if model is None or not usage.total_tokens:
            return None
        if own := self._own.get(model):
            return own.of(usage)
        return _list_price(model, usage)

    def knows(self, model: str | None) -> bool:
        """Whether there is a price for that model."""
        return model is not None and (model in self._own or _listed(model) is not None)

    def window(self, model: str | None) -> int | None:
        """How many tokens the model reads at most; None where that is unknown."""
        if model is None:
            return None
        if own := self._own.get(model):
            return own.window
        listed = _listed(model)
        return listed.context_window if listed else None


LISTED = Prices()


def read_prices(said: object) -> dict[str, Price]:
    """Prices by model, out of `{model: {input: ..., output: ...}}`; BadInputError for others."""
    if not isinstance(said, Mapping):
        raise BadInputError("prices are a table by model")
    return {str(model): _price(str(model), fields) for model, fields in said.items()}


def _price(model: str, fields: Any) -> Price:  # noqa: ANN401 # whatever a file says
    if isinstance(fields, Price):
        return fields
    known = [*Price.model_fields]
    if isinstance(fields, Mapping) and (strange := [one for one in fields if one not in known]):
        words = f"there is no {strange[0]!r}; there are {', '.join(known)}"
        raise BadInputError(f"prices: {model}: {words}")
    try:
        return Price(**fields)
    except (TypeError, BadInputError) as error:
        words = str(error) if isinstance(error, BadInputError) else "say input and output, at least"
        raise BadInputError(f"prices: {model}: {words}") from None


def _list_price(model: str, usage: Usage) -> Decimal | None:
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


def _listed(model: str) -> "ModelInfo | None":
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, None, None)[1]
    except LookupError:
        return None

"""What a try at a model took."""

from decimal import Decimal

from engine.core.messages import Usage
from engine.core.shape import Shape


class Spent(Shape):
    """What a try at the model took: `seconds`, and `cost` in USD; None where it is not known.

    `window` is how many tokens that model reads at most, None where that is not known.
    """

    usage: Usage = Usage()
    model: str | None = None
    cost: Decimal | None = None
    seconds: float | None = None
    window: int | None = None

"""Facts about what a run leaves for later ones."""

from typing import Literal

from engine.core.spent import Spent


class RunSummarised(Spent):
    """The run, which is Done, was summed up in `words` for the next one under the same key.

    `by_model` where a model was asked for them; where that came to nothing, nothing was spent,
    and they are the engine's own.
    """

    kind: Literal["run_summarised"] = "run_summarised"
    words: str
    by_model: bool = False

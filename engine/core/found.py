"""What a run that comes to no answer has found all the same."""

from engine.core.run import Run


def found_so_far(run: Run) -> str | None:
    """What was said when it was cut off, or the model's last words; else the newest results.

    Refusals and errors are none. None if there is nothing of it.
    """
    if run.found is not None:
        return run.found
    for message in reversed(run.messages):
        if message.role == "assistant" and message.content:
            return message.content
    return "\n".join(results_of(run) or run.gave) or None


def results_of(run: Run) -> tuple[str, ...]:
    """What the calls of the open turn gave, as the model is shown it."""
    return tuple(one.content[: one.shown] for one in run.results if not one.is_error)

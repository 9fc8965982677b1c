"""What a run that comes to no answer has found all the same."""

from engine.core.run import Run


def found_so_far(run: Run) -> str | None:
    """What was said when it was cut off, or the model's last words; else the last tool results.

    None if there is none of it.
    """
    if run.found is not None:
        return run.found
    for message in reversed(run.messages):
        if message.role == "assistant" and message.content:
            return message.content
    results = [result.content[: result.shown] for result in run.results] or _last_results(run)
    return "\n".join(results) or None


def _last_results(run: Run) -> list[str]:
    last: list[str] = []
    for message in reversed(run.messages):
        if message.role == "tool":
            last.insert(0, message.content or "")
        elif last:
            break
    return last

"""What of a transcript a model is not sent any more, where a request would be too long.

Pure: the same run and workflow give the same. Whatever is left out, the instructions, the
first message, what the model has not answered yet, and each call with its results stay whole.
"""

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from engine.core import events as ev
from engine.core.bounds import Reached
from engine.core.context_policy import (
    DropOldResults,
    KeepLast,
    Strategy,
    StrategyName,
    Summarise,
)
from engine.core.effects import SumUp
from engine.core.messages import Message
from engine.core.run import HEAD, Compaction, Run
from engine.core.sent import context_of, laid_out, shortened
from engine.core.sizes import next_input, tokens_in, tokens_of
from engine.core.workflow import Workflow

UNKNOWN_WINDOW = 32_000  # tokens that a request may have where nothing is known of the model
_SUMMARY = " "  # in the place of one that is not there yet
_SHORTEST, _LONGEST = 150, 6_000  # characters of a summary
_OF_A_WINDOW = (3, 4)  # the rest is for what the model says


def next_size(run: Run, workflow: Workflow) -> int:
    """About how many tokens the next request has, tools included."""
    return next_input(run) + (0 if run.tools_counted else _tools_size(run, workflow))


def _tools_size(run: Run, workflow: Workflow) -> int:
    return tokens_of(() if run.last_words else workflow.tools)


def budget(run: Run, workflow: Workflow) -> int:
    """How many tokens the next request may have."""
    most = workflow.context.max_tokens
    if most is None:
        part, whole = _OF_A_WINDOW
        most = run.window * part // whole if run.window else UNKNOWN_WINDOW
    return most + int(run.raised.get("context", 0))


def compaction(run: Run, workflow: Workflow) -> ev.ContextCompacted | SumUp | None:
    """How the next request is made to fit; None where it does, or nothing more can be left out.

    After one that was too long, it is made half as long as it was.
    """
    size, room = next_size(run, workflow), budget(run, workflow)
    if run.overflowed and not run.overflowed.compacted:
        room = min(room, size // 2)
    elif size <= room:
        return None
    estimated = tokens_in(context_of(run)) + _tools_size(run, workflow)
    return _Fitting(run, workflow, size, room, estimated).found()


def too_long(run: Run, workflow: Workflow) -> Reached | None:
    """The limit that a run comes to whose next request cannot be made to fit; None for none.

    Without a declared budget it is tried all the same: sizes are estimates.
    """
    over, size = run.overflowed, next_size(run, workflow)
    if over is not None:
        vain = not over.compacted and not over.cut and compaction(run, workflow) is None
        if over.times > 1 or vain:
            what = (
                "and sending less did not help" if over.compacted else "with nothing to leave out"
            )
            return Reached("context", f"it was too long, {what}: {run.failure}")
    most = budget(run, workflow)
    if workflow.context.max_tokens is None or size <= most or compaction(run, workflow):
        return None
    words = f"the next request has about {size:,} tokens, and no more can be left out"
    return Reached("context", f"{words}; max_tokens={most:,}")


class _Fitting(NamedTuple):
    """A request of `size` tokens, by an estimate alone `estimated`, that is to fit into `room`."""

    run: Run
    workflow: Workflow
    size: int
    room: int
    estimated: int

    def found(self) -> ev.ContextCompacted | SumUp | None:
        """What the strategies give, in their order, until it fits."""
        how, tokens = self.run.compacted or Compaction(), self.size
        used: list[StrategyName] = []
        for strategy in self.workflow.context.strategies:
            after = self._under(strategy, how, tokens)
            sums_up = isinstance(strategy, Summarise)
            then = self._tokens(after, _SUMMARY if sums_up else self.run.summary)
            longest = min(_LONGEST, (tokens - then) * 3 // 2)  # half of what is saved
            if after == how or then >= tokens or (sums_up and longest < _SHORTEST):
                continue
            how, tokens = after, then
            used.append(strategy.kind)
            if sums_up:
                return self._summary(how, tokens, longest, tuple(used))
            if tokens <= self.room:
                break
        return self._event(how, tokens, tuple(used)) if used else None

    def _under(self, strategy: Strategy, how: Compaction, tokens: int) -> Compaction:
        messages = self.run.messages
        match strategy:
            case KeepLast() | Summarise():
                start = max(how.start, _begin_of_newest(messages, strategy.turns))
                return how.model_copy(update={"start": start})
            case DropOldResults():
                return self._with_less(how, tokens, _newest_calls(messages, strategy.turns))
            case other:
                assert_never(other)

    def _with_less(self, how: Compaction, tokens: int, newest: int) -> Compaction:
        """With as many old results noted as bring it to half of the room, the oldest first."""
        left = how
        for place in range(max(how.start, how.noted), newest):
            message = self.run.messages[place]
            note = shortened(self.run, message)
            if note is message:
                continue
            if tokens <= self.room // 2:
                break
            tokens -= self._measured(tokens_in((message,)) - tokens_in((note,)))
            left = how.model_copy(update={"noted": place + 1})
        return left

    def _tokens(self, how: Compaction, summary: str | None) -> int:
        """About how many tokens it has then, in the provider's own measure where that is known."""
        then = tokens_in(laid_out(self.run, how, summary))
        return self._measured(then + _tools_size(self.run, self.workflow))

    def _measured(self, estimated: int) -> int:
        return -(-estimated * self.size // self.estimated)

    def _event(
        self, how: Compaction, tokens: int, used: tuple[StrategyName, ...]
    ) -> ev.ContextCompacted:
        return ev.ContextCompacted(
            strategies=used,
            start=how.start,
            noted=how.noted,
            seen=len(self.run.messages),
            before=self.size,
            tokens=tokens,
        )

    def _summary(
        self, how: Compaction, tokens: int, longest: int, used: tuple[StrategyName, ...]
    ) -> SumUp:
        return SumUp(
            turn=self.run.turns + 1,
            attempt=self.run.failures + 1,
            strategies=used,
            start=how.start,
            noted=how.noted,
            seen=len(self.run.messages),
            before=self.size,
            tokens=tokens,
            room=self.room,
            longest=longest,
        )


def _begin_of_newest(messages: Sequence[Message], turns: int) -> int:
    """Where the newest so many turns begin: with what was said to the model before them."""
    replies = [place for place, one in enumerate(messages) if one.role == "assistant"]
    if len(replies) < turns:
        return HEAD
    begin = replies[-turns]
    while begin > HEAD and messages[begin - 1].role == "user":
        begin -= 1
    return begin


def _newest_calls(messages: Sequence[Message], turns: int) -> int:
    """Where the newest so many turns begin that have calls; 0 where there are no more of them."""
    asking = [place for place, one in enumerate(messages) if one.tool_calls]
    return asking[-turns] if len(asking) >= turns else 0

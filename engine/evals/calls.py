"""Whether the calls of a run are those that a case expects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from pydantic import JsonValue

from engine.core.canonical import digest
from engine.core.conditions import hold
from engine.core.messages import Arguments
from engine.evals.cases import Expect, ExpectedCall
from engine.evals.course import Called, Course
from engine.evals.words import expected, got, listed


def check_calls(expect: Expect, course: Course) -> Iterator[str]:
    """What is wrong with the tools called, in words."""
    if expect.calls is None:
        return
    fault = _ORDERS[expect.order](expect.calls, course.calls)
    if fault is not None:
        yield f"calls: {fault}; got {listed([got(one) for one in course.calls])}"


def check_not_called(expect: Expect, course: Course) -> Iterator[str]:
    """Each call of a tool that must not be called."""
    for call in course.calls:
        forbidden = [one for one in expect.not_called or () if fnmatchcase(call.tool, one)]
        if forbidden:
            yield f"not_called: expected no call of {forbidden[0]}, got {got(call)}"


def _exact(wanted: Sequence[ExpectedCall], calls: Sequence[Called]) -> str | None:
    for place, (want, call) in enumerate(zip(wanted, calls, strict=False), 1):
        if not _matches(want, call):
            return f"expected {expected(want)} as call {place}, got {got(call)}"
    if len(wanted) == len(calls):
        return None
    return f"expected exactly {len(wanted)}: {listed([expected(want) for want in wanted])}"


def _in_order(wanted: Sequence[ExpectedCall], calls: Sequence[Called]) -> str | None:
    rest = iter(calls)
    for place, want in enumerate(wanted):
        if not any(_matches(want, call) for call in rest):
            after = f" after {expected(wanted[place - 1])}" if place else ""
            return f"expected {expected(want)}{after}"
    return None


def _any(wanted: Sequence[ExpectedCall], calls: Sequence[Called]) -> str | None:
    """None where each of the wanted can have a call of its own."""
    fits = [{at for at, call in enumerate(calls) if _matches(want, call)} for want in wanted]
    taken: dict[int, int] = {}  # which call is whose

    def place(want: int, tried: set[int]) -> bool:
        """Whether it has one, for which others may have had to take another."""
        for at in fits[want] - tried:
            tried.add(at)
            if at not in taken or place(taken[at], tried):
                taken[at] = want
                return True
        return False

    for want, call in enumerate(wanted):
        if not place(want, set()):
            return f"expected {expected(call)}, in whatever order"
    return None


_Order = Callable[[Sequence[ExpectedCall], Sequence[Called]], str | None]
_ORDERS: Mapping[str, _Order] = {"exact": _exact, "in_order": _in_order, "any": _any}


def _matches(want: ExpectedCall, call: Called) -> bool:
    if not fnmatchcase(call.tool, want.tool) or want.outcome not in (None, call.outcome):
        return False
    if want.arguments is None and want.exactly is None and want.where is None:
        return True
    return call.arguments is not None and _fit(want, call.arguments)


def _fit(want: ExpectedCall, arguments: Arguments) -> bool:
    if want.exactly is not None and digest(want.exactly) != digest(arguments):
        return False
    if want.arguments is not None and not _within(want.arguments, arguments):
        return False
    if want.where is None:
        return True
    if not callable(want.where):
        return hold(want.where, arguments)
    verdict: object = want.where(arguments)
    if not isinstance(verdict, bool):
        raise TypeError(f"the predicate for {want.tool} gave {verdict!r}, which is no bool")
    return verdict


def _within(wanted: JsonValue, found: JsonValue) -> bool:
    """Whether `found` is what is wanted; an object may hold more."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(name in found and _within(wanted[name], found[name]) for name in wanted)
    return digest(wanted) == digest(found)

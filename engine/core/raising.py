"""What a person says of a run that has come to one of its bounds."""

from decimal import Decimal
from difflib import get_close_matches

from engine.core import events as ev
from engine.core.approvers import Authority, named, person
from engine.core.commands import Deny, Raise
from engine.core.found import found_so_far
from engine.core.limits import IN_PARTS, RAISABLE, Bound
from engine.core.run import Approval, Run
from engine.core.states import State
from engine.errors import BadInputError, RefusedError

RAISE_IT = "say by how much more it may go on (resume --raise {limit}=+N)"

_LARGEST = 10**9


def raised(run: Run, command: Raise, by_whom: Authority) -> tuple[ev.Event, ...]:
    """The bounds raised of a run that asks for it, or was aborted at one of them.

    Raises BadInputError for a bound that is none, and an amount that adds nothing;
    RefusedError where the run has come to another bound, or to none.
    """
    named(command.by)
    raises = _amounts(command)
    asked = next((one for one in run.approvals if one.kind == "limit"), None)
    _require_not_refused(run, command.by)
    limit = _limit(run, asked)
    if limit == "max_cost_usd" and run.cost is None:
        raise RefusedError(f"what run {run.id} has cost is not known, so no amount is enough")
    if limit not in raises:
        raise RefusedError(f"run {run.id} has come to {limit}; raise that one")
    if asked is None:
        by_whom.require_known(command.by, f"raise {limit}")
    else:
        by_whom.require(run, asked, command.by, f"raise {limit}")
    return (
        ev.LimitsRaised(
            raised=raises,
            by=command.by,
            approval_id=asked.approval_id if asked else None,
            note=command.note,
        ),
    )


def stopped(run: Run, asked: Approval, command: Deny) -> ev.RunAborted:
    """The run given up, as a person does not let it go on."""
    reason = f"{asked.reason}; {command.by} did not let it go on"
    if command.reason:
        reason += f": {command.reason}"
    return ev.RunAborted(reason=reason, by=command.by, limit=asked.tool, found=found_so_far(run))


def _limit(run: Run, asked: Approval | None) -> Bound:
    """The bound that the run has come to."""
    reached = asked.tool if asked else run.limit
    if asked or (run.state is State.Aborted and not run.erased):
        for bound in RAISABLE:
            if bound == reached:
                return bound
    if run.state is State.Done and run.limit:
        raise RefusedError(
            f"run {run.id} has given its last answer at the limit {run.limit} and is Done; send "
            "it a message, which brings it to the limit again, and raise that then"
        )
    raise RefusedError(
        f"run {run.id} is {run.state} and has come to none of its limits; there is nothing to raise"
    )


def _require_not_refused(run: Run, by: str) -> None:
    """Nothing; RefusedError where another person has said no at the limit that it came to."""
    last = run.verdicts[-1] if run.verdicts and run.state is State.Aborted else None
    if last and (last.kind, last.verdict) == ("limit", "denied") and person(last.by) != person(by):
        raise RefusedError(
            f"{last.by} did not let run {run.id} go on at {run.limit}; nobody else may undo that"
        )


def _amounts(command: Raise) -> dict[Bound, Decimal]:
    """What is asked to be added, by bound."""
    if not command.raises:
        raise BadInputError("say which limit to raise, and by how much: max_turns=+10")
    return {_bound(name): _amount(name, amount) for name, amount in command.raises.items()}


def _bound(name: str) -> Bound:
    for bound in RAISABLE:
        if bound == name:
            return bound
    near = get_close_matches(name, RAISABLE, n=1)
    hint = f"is {near[0]} meant?" if near else f"there are {', '.join(RAISABLE)}"
    raise BadInputError(f"there is no limit {name!r}; {hint}")


def _amount(name: str, amount: Decimal) -> Decimal:
    if amount <= 0:
        raise BadInputError(f"{name}: an amount above 0 is added, not {amount}")
    if amount > _LARGEST:
        raise BadInputError(f"{name}: at most {_LARGEST:,} is added at once, not {amount}")
    if name not in IN_PARTS and amount != int(amount):
        raise BadInputError(f"{name} is raised by a whole number, not {amount}")
    return amount

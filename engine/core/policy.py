"""What authors declare about approval, and what that demands of one call."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import get_args

from engine.core.conditions import Conditions, fault_in, hold, in_words
from engine.core.demand import Ask, Demand, Escalation, OnExpiry
from engine.core.messages import Arguments
from engine.core.run import Run
from engine.errors import DefinitionError

Predicate = Callable[[Arguments, Run], bool]


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """How an approval is to be had, once it is asked for.

    `quorum` people must grant it, each with one of `roles`; with `four_eyes` none of them
    may be who started the run. It is open for `expires_in` seconds; then `on_expiry`:
    deny the call, abort the run, or escalate. `remind_every` so many seconds it is told
    again. With `batch` nothing that was granted runs while another approval of the turn
    is open.
    """

    quorum: int = 1
    roles: Sequence[str] = ()
    four_eyes: bool = False
    expires_in: float | None = None
    on_expiry: OnExpiry = "deny"
    remind_every: float | None = None
    batch: bool = False

    def __post_init__(self) -> None:
        """Refuse, with DefinitionError, what nobody could meet."""
        roles = self.roles if isinstance(self.roles, list | tuple) else None
        if roles is None or not all(isinstance(role, str) and role.strip() for role in roles):
            raise DefinitionError(f"approval: roles is a list of names, not {self.roles!r}")
        object.__setattr__(self, "roles", tuple(roles))
        if not isinstance(self.quorum, int) or isinstance(self.quorum, bool) or self.quorum < 1:
            raise DefinitionError(f"approval: quorum is a number from 1 on, not {self.quorum!r}")
        times = [("expires_in", self.expires_in), ("remind_every", self.remind_every)]
        if isinstance(self.on_expiry, Escalation):
            if not self.on_expiry.role.strip():
                raise DefinitionError("approval: the escalation's role is empty")
            times.append(("the escalation's expires_in", self.on_expiry.expires_in))
        elif self.on_expiry not in ("deny", "abort"):
            raise DefinitionError(
                f'approval: on_expiry is "deny", "abort" or an Escalation, not {self.on_expiry!r}'
            )
        for name, seconds in times:
            number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
            if seconds is not None and not (number and 0 < seconds <= _LONGEST):
                raise DefinitionError(f"approval: {name} is in seconds, above 0, not {seconds!r}")
        if self.remind_every is not None and self.remind_every < 1:
            raise DefinitionError("approval: remind_every is at least 1 second")
        if isinstance(self.on_expiry, Escalation) and self.expires_in is None:
            raise DefinitionError("approval: an escalation needs expires_in to come to pass")

    def demand(self, ask: Ask, source: str) -> Demand:
        """These terms for one action."""
        return Demand(
            ask=ask,
            source=source,
            quorum=self.quorum,
            roles=(tuple(self.roles),) if self.roles else (),
            four_eyes=self.four_eyes,
            batch=self.batch,
            expires_in=self.expires_in,
            on_expiry=self.on_expiry,
            remind_every=self.remind_every,
        )


_LONGEST = 10 * 365 * 86_400  # ten years: what no clock overflows at


@dataclass(frozen=True, kw_only=True)
class ApprovalPolicy(_Terms):
    """Whether to ask, always, never, or where a predicate says so; and the terms of it.

    "audit" runs unasked, and is put down as to be reviewed. The predicate gets the
    validated arguments and the run; one that fails asks.
    """

    when: Ask | Predicate = "always"

    def __post_init__(self) -> None:
        """See _Terms."""
        super().__post_init__()
        if self.when not in get_args(Ask) and not callable(self.when):
            raise DefinitionError(f"approval: {self.when!r} is neither {_KNOWN} nor a predicate")


@dataclass(frozen=True, kw_only=True)
class Rule(_Terms):
    """One line of a rule list: for tools of a name (`issue_*`), where `when` holds, do `ask`."""

    tool: str = "*"
    when: Conditions = field(default_factory=dict)
    ask: Ask = "always"

    def __post_init__(self) -> None:
        """See _Terms."""
        super().__post_init__()
        if self.ask not in get_args(Ask):
            raise DefinitionError(f"approval: {self.ask!r} is not one of {_KNOWN}")
        if not isinstance(self.when, dict) or not isinstance(self.tool, str):
            raise DefinitionError(f"approval: {self!r} is no rule")
        if fault := fault_in(self.when):
            raise DefinitionError(f"approval: {fault}")

    def in_words(self) -> str:
        """The rule, as a person reads it."""
        return f"{self.tool} if {in_words(self.when)}" if self.when else self.tool


_KNOWN = '"never", "audit" or "always"'
Policy = Ask | Predicate | ApprovalPolicy | Sequence[Rule]


def fault_of(policy: Policy | None) -> str | None:
    """What is wrong with a declared policy; None where nothing is."""
    if policy is None or isinstance(policy, ApprovalPolicy) or policy in get_args(Ask):
        return None
    if isinstance(policy, list | tuple):
        strangers = [one for one in policy if not isinstance(one, Rule)]
        return f"{strangers[0]!r} is no Rule" if strangers else None
    if callable(policy):
        return None
    return (
        f"approval is {_KNOWN}, a predicate, an ApprovalPolicy or a list of Rules, not {policy!r}"
    )


def demanded(
    policy: Policy | None, where: str, tool: str, arguments: Arguments, run: Run
) -> Demand | None:
    """What the policy declared at `where` demands of that call; None where it says nothing."""
    if policy is None:
        return None
    if isinstance(policy, ApprovalPolicy):
        return policy.demand(*_judged(policy.when, where, arguments, run))
    if isinstance(policy, str) or callable(policy):
        ask, source = _judged(policy, where, arguments, run)
        return Demand(ask=ask, source=source)
    for place, rule in enumerate(policy, 1):
        if fnmatchcase(tool, rule.tool) and hold(rule.when, arguments):
            return rule.demand(rule.ask, f"{where}, rule {place}: {rule.in_words()}")
    return None


def wants_four_eyes(policy: Policy | None) -> bool:
    """Whether the policy may ask for somebody else than who started the run."""
    if isinstance(policy, list | tuple):
        return any(rule.four_eyes for rule in policy)
    return isinstance(policy, ApprovalPolicy) and policy.four_eyes


def declared(policy: Policy | None) -> str:
    """The policy as the workflow's definition has it; a predicate by its name."""
    match policy:
        case None | str():
            return policy or ""
        case ApprovalPolicy() as one:
            return f"{declared(one.when)} {one.demand('always', '').identity}"
        case list() | tuple():
            return " | ".join(
                f"{rule.in_words()} {rule.ask} {rule.demand(rule.ask, '').identity}"
                for rule in policy
            )
        case predicate:
            return _name(predicate)


def _judged(when: Ask | Predicate, where: str, arguments: Arguments, run: Run) -> tuple[Ask, str]:
    if isinstance(when, str):
        return when, where if when == "audit" else ""
    source = f"{where}: {_name(when)}"
    try:
        return ("always" if when(deepcopy(arguments), run) else "never"), source
    except Exception as error:  # noqa: BLE001 # an author's predicate may raise anything
        return "always", f"{source}, which could not judge it ({type(error).__name__})"


def _name(predicate: object) -> str:
    return str(getattr(predicate, "__qualname__", type(predicate).__name__))

"""What a policy demands before one exact action may run, as data."""

from typing import Literal

from pydantic import JsonValue

from engine.core.shape import Shape

# Run unasked; run unasked, but put it down as to be reviewed; ask first.
Ask = Literal["never", "audit", "always"]

_STRICTNESS: tuple[Ask, ...] = ("never", "audit", "always")


class Escalation(Shape):
    """Ask people of another role, once more, for so many seconds; then deny, or abort the run."""

    role: str
    expires_in: float
    on_expiry: Literal["deny", "abort"] = "deny"


OnExpiry = Literal["deny", "abort"] | Escalation


class Demand(Shape):
    """Who must agree, and until when; `source` names the policy, empty for a plain "always".

    Whoever agrees must have one role of each group in `roles`. Times are in seconds.
    """

    ask: Ask = "always"
    source: str = ""
    quorum: int = 1
    roles: tuple[tuple[str, ...], ...] = ()
    four_eyes: bool = False
    batch: bool = False
    expires_in: float | None = None
    on_expiry: OnExpiry = "deny"
    remind_every: float | None = None

    @property
    def identity(self) -> dict[str, JsonValue]:
        """What of it an approval is bound to; empty for a plain "always"."""
        return self.model_dump(mode="json", exclude={"ask"}, exclude_defaults=True)

    def stricter(self, other: "Demand") -> "Demand":
        """What both demand: of each thing, what is harder to meet."""
        sooner = min((self, other), key=lambda one: one.expires_in or float("inf"))
        reminders = [one.remind_every for one in (self, other) if one.remind_every]
        return Demand(
            ask=max(self.ask, other.ask, key=_STRICTNESS.index),
            source="; ".join(dict.fromkeys(filter(None, (self.source, other.source)))),
            quorum=max(self.quorum, other.quorum),
            roles=tuple(dict.fromkeys((*self.roles, *other.roles))),
            four_eyes=self.four_eyes or other.four_eyes,
            batch=self.batch or other.batch,
            expires_in=sooner.expires_in,
            on_expiry=sooner.on_expiry,
            remind_every=min(reminders, default=None),
        )

    def lasting(self) -> "Demand":
        """The same, without a deadline: for what may not be decided by nobody."""
        return self.model_copy(
            update={"ask": "always", "expires_in": None, "on_expiry": "deny", "batch": False}
        )

    def in_words(self) -> str:
        """What is demanded, as an approver reads it; empty where that is one person, whoever."""
        words = [f"{self.quorum} people"] if self.quorum > 1 else []
        words += [f"role {' or '.join(group)}" for group in self.roles]
        words += ["not who started the run"] if self.four_eyes else []
        return ", ".join(words)

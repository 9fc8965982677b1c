"""Who may decide what."""

import unicodedata
from collections.abc import Iterable, Mapping

from engine.core.demand import Demand
from engine.core.run import Approval, Run
from engine.errors import BadInputError, NotAllowedError

_HIDDEN = ("Cc", "Cf")  # controls, and what has no width


def person(name: str) -> str:
    """The name as it is compared: `Alice ` and `alice` are one person, whatever is hidden in it."""
    shown = (letter for letter in name if unicodedata.category(letter) not in _HIDDEN)
    return unicodedata.normalize("NFKC", "".join(shown)).casefold().strip()


class Approvers:
    """The people who may decide, and the roles of each."""

    def __init__(self, roles: Mapping[str, Iterable[str]]) -> None:
        """Take each person's roles by name; BadInputError for one person under two names."""
        self._roles: dict[str, frozenset[str]] = {}
        for name, said in roles.items():
            if person(name) in self._roles or not person(name):
                raise BadInputError(f"approvers: {name!r} is nobody, or is there twice")
            if isinstance(said, str):
                raise BadInputError(f"approvers: the roles of {name!r} are a list, not {said!r}")
            self._roles[person(name)] = frozenset(said)

    def knows(self, by: str) -> bool:
        """Whether that person is one of them."""
        return person(by) in self._roles

    def roles(self, by: str) -> frozenset[str]:
        """The roles of a person; none of a stranger."""
        return self._roles.get(person(by), frozenset())


class Authority:
    """By whom things may be decided. Without approvers, by anybody where no role is asked for."""

    def __init__(self, approvers: Approvers | None = None) -> None:
        """Take who may."""
        self._approvers = approvers

    def require_known(self, by: str, what: str) -> None:
        """Nothing; NotAllowedError where that person may decide nothing at all."""
        named(by)
        if self._approvers is not None and not self._approvers.knows(by):
            raise NotAllowedError(f"{by} may not {what}: {by} is none of the approvers")

    def require(self, run: Run, asked: Approval, by: str, what: str) -> None:
        """Nothing; NotAllowedError, saying why, where that person may not decide this."""
        self.require_known(by, what)
        if objection := self._objection(run, asked.demand, by):
            raise NotAllowedError(f"{by} may not {what}: {objection}")

    def _objection(self, run: Run, demand: Demand, by: str) -> str | None:
        for group in demand.roles:
            if self._approvers is None:
                known = "no approvers are known (--approvers FILE)"
                return f"it takes the role {' or '.join(group)}, and {known}"
            if not self._approvers.roles(by) & set(group):
                return f"it takes the role {' or '.join(group)}, which {by} does not have"
        if demand.four_eyes and run.by is None:
            return "it takes somebody else than who started the run, and nobody knows who did"
        if demand.four_eyes and run.by is not None and person(run.by) == person(by):
            return f"{by} started the run, and it takes somebody else"
        return None


ANYBODY = Authority()


def named(by: str) -> str:
    """The name of who decides; BadInputError where it is empty."""
    if not by.strip():
        raise BadInputError("say who decides: by is empty")
    return by

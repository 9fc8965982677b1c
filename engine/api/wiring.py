"""What an engine is given, in the form in which it is used."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from engine.codec.chain import PLAIN, AuditKeys, read_keys
from engine.core.approvers import ANYBODY, Approvers, Authority
from engine.core.workflow import Workflow
from engine.errors import BadInputError, DefinitionError, UnknownWorkflowError
from engine.ports import Logger
from engine.prices import Price, Prices, read_prices

LogTarget = str | Path | Logger

_ID_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # none that are mistaken for each other


def new_id() -> str:
    """A random run id of 12 characters."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(12))


def several(log: LogTarget | Sequence[LogTarget] | None) -> Sequence[LogTarget]:
    """The targets, however many were given."""
    match log:
        case None:
            return ()
        case str() | Path():
            return (log,)
        case Sequence():
            return log
        case _:
            return (log,)


def by_name(workflows: Iterable[Workflow]) -> dict[str, Workflow]:
    """The workflows by their names; DefinitionError where two have one."""
    named: dict[str, Workflow] = {}
    for workflow in workflows:
        if not isinstance(workflow, Workflow):
            raise DefinitionError(f"{workflow!r} is no Workflow")
        if workflow.name in named:
            raise DefinitionError(f"two workflows are named {workflow.name}")
        named[workflow.name] = workflow
    return named


def named_in(workflows: Mapping[str, Workflow], name: str) -> Workflow:
    """The workflow of that name; UnknownWorkflowError, naming those there are, for none."""
    if name not in workflows:
        known = ", ".join(sorted(workflows)) or "none"
        raise UnknownWorkflowError(f"there is no workflow {name!r}; there are: {known}")
    return workflows[name]


def keys_of(wanted: AuditKeys | str | Path | None) -> AuditKeys:
    """The audit keys: as they are, in a text, or in a file; BadInputError for none."""
    match wanted:
        case None:
            return PLAIN
        case AuditKeys():
            return wanted
        case str():
            return read_keys(wanted)
        case Path():
            try:
                return read_keys(wanted.read_text(encoding="utf-8"))
            except (OSError, UnicodeError) as error:
                words = getattr(error, "strerror", None) or "it is no text"
                raise BadInputError(f"the audit keys {wanted} cannot be read: {words}") from error


def authority_of(
    approvers: Approvers | Mapping[str, Iterable[str]] | str | Path | None,
) -> Callable[[], Authority]:
    """Who may decide, as it is now; BadInputError where that cannot be read."""
    match approvers:
        case None:
            return lambda: ANYBODY
        case Approvers():
            known = Authority(approvers)
        case str() | Path():
            _read(Path(approvers))
            return lambda: Authority(_read(Path(approvers)))
        case _:
            known = Authority(Approvers(approvers))
    return lambda: known


def _read(file: Path) -> Approvers:
    import tomllib

    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))["approvers"]
        return Approvers(TypeAdapter(dict[str, list[str]]).validate_python(said))
    except OSError as error:
        raise BadInputError(f"the approvers {file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, RecursionError) as error:
        raise BadInputError(
            f"the approvers {file} are not of the form: [approvers], then lines like "
            f'ann = ["manager"] ({_first_line(error)})'
        ) from error


def prices_of(prices: Mapping[str, Price] | str | Path | None) -> Prices:
    """One's own prices beside those of the lists; BadInputError where they cannot be read."""
    if not isinstance(prices, str | Path):
        return Prices(read_prices(prices or {}))
    import tomllib

    try:
        return Prices(
            read_prices(tomllib.loads(Path(prices).read_text(encoding="utf-8"))["prices"])
        )
    except OSError as error:
        raise BadInputError(f"the prices {prices} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, RecursionError) as error:
        raise BadInputError(
            f"the prices {prices} are not of the form: [prices.MODEL], then lines like "
            f"input = 0.25, in USD for a million tokens ({_first_line(error)})"
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

"""Whether the names in cases are those of something: a check of no tool would never fail."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from engine.core.workflow import Workflow
from engine.errors import BadInputError
from engine.evals.cases import Case


def check_names(cases: Sequence[Case], workflows: Mapping[str, Workflow]) -> None:
    """Nothing; BadInputError for no cases, two of one name, and names of nothing."""
    if not cases:
        raise BadInputError("there are no cases to evaluate")
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            raise BadInputError(f"case {name!r}: {count} cases have this name")
    for case in cases:
        if case.workflow not in workflows:
            known = ", ".join(sorted(workflows)) or "none"
            raise BadInputError(
                f"case {case.name!r}: workflow: there is no workflow {case.workflow!r};"
                f" there are: {known}"
            )
        _check_tools(case, workflows[case.workflow])


def _check_tools(case: Case, workflow: Workflow) -> None:
    known = [tool.name for tool in workflow.tools]
    for key, name in _named(case):
        if not any(fnmatchcase(tool, name) for tool in known):
            raise BadInputError(
                f"case {case.name!r}: {key}: {workflow.name} has no tool {name!r};"
                f" its tools: {', '.join(known) or 'none'}"
            )


def _named(case: Case) -> Iterator[tuple[str, str]]:
    """Each tool that the case names, and where."""
    yield from (("approvals", one.tool) for one in case.approvals)
    yield from (("expect.calls", one.tool) for one in case.expect.calls or ())
    yield from (("expect.not_called", name) for name in case.expect.not_called or ())
    yield from (("expect.approvals", name) for name in case.expect.approvals or ())

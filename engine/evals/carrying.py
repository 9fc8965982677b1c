"""Carrying a case's run through: starting it, and saying what people say in it."""

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import assert_never

from engine.api import Engine
from engine.core.run import Approval, Run
from engine.core.states import State
from engine.errors import EngineError
from engine.evals.cases import Case, CaseVerdict
from engine.evals.words import cut


async def carry_through(case: Case, engine: Engine, run_id: str) -> str | None:
    """Why the run was left waiting for a person; None where it was not, or is expected to be.

    Raises EngineError where it cannot be driven, or a verdict is not taken.
    """
    run = await engine.start(case.workflow, case.message, run_id, by=case.by)
    unsaid = list(case.approvals)
    while run.state is State.AwaitingApproval:
        found = _next(run.approvals, unsaid)
        if found is None:
            return None if case.expect.state is State.AwaitingApproval else _unforeseen(run)
        approval, verdict = found
        unsaid.remove(verdict)
        try:
            run = await _say(engine, run_id, approval, verdict)
        except EngineError as error:
            words = f"approvals: the verdict {verdict.verdict} on {approval.tool} was not taken"
            raise EngineError(f"{words}: {error}") from error
    return None


def _next(
    approvals: Sequence[Approval], unsaid: Sequence[CaseVerdict]
) -> tuple[Approval, CaseVerdict] | None:
    """The first approval that the case foresees, and what is said to it."""
    for approval in approvals:
        for verdict in unsaid:
            if _meant(verdict, approval):
                return approval, verdict
    return None


def _meant(verdict: CaseVerdict, approval: Approval) -> bool:
    """Whether it is about that approval; a plain yes is no yes to running a call again."""
    again = verdict.verdict != "approve" or verdict.retry == (approval.kind == "in_doubt")
    return again and fnmatchcase(approval.tool, verdict.tool)


async def _say(engine: Engine, run_id: str, approval: Approval, said: CaseVerdict) -> Run:
    name, by, digest = approval.approval_id, said.by, approval.digest
    match said.verdict:
        case "approve":
            return await engine.approve(
                run_id,
                by=by,
                approval_id=name,
                digest=digest,
                retry=said.retry,
                arguments=said.arguments,
            )
        case "deny":
            return await engine.deny(
                run_id, by=by, approval_id=name, digest=digest, reason=said.reason
            )
        case "answer":
            return await engine.answer(
                run_id, by=by, approval_id=name, digest=digest, result=said.result or ""
            )
        case other:
            assert_never(other)


def _unforeseen(run: Run) -> str:
    asked = "; ".join(
        f"{one.tool} ({one.kind}) with {cut(json.dumps(one.arguments, ensure_ascii=False))}"
        for one in run.approvals
    )
    return f"approvals: a person was asked what the case does not foresee: {asked}"

"""An evaluation as JUnit XML, which most build servers read."""

from pathlib import Path
from typing import TYPE_CHECKING

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from engine.cli.text import short, visible

if TYPE_CHECKING:
    from engine.evals.results import CaseResult, Evaluation


def write_junit(evaluation: "Evaluation", file: Path) -> None:
    """Nothing; writes the file. What XML cannot hold, and what hides, is escaped."""
    suite = TestSuite("waystation eval")
    for one in evaluation.results:
        suite.add_testcase(_case(one))
    suite.update_statistics()  # type: ignore[no-untyped-call] # its types stop here
    xml = JUnitXml("waystation eval")
    xml.add_testsuite(suite)
    xml.update_statistics()  # type: ignore[no-untyped-call] # its types stop here
    xml.write(str(file))


def _case(one: "CaseResult") -> TestCase:
    again = f" #{one.repetition}" if one.repetition > 1 else ""
    case = TestCase(f"{visible(one.name)}{again}", visible(one.workflow), one.seconds)
    if not one.passed:
        failure = Failure(short(one.failures[0], 300), "failed")
        failure.text = "\n".join([f"run {one.run_id}", *map(visible, one.failures)])
        case.result = [failure]
    return case

"""An evaluation as people read it while it goes on and when it has ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from engine.cli.figures import console, money, table
from engine.cli.output import print_json
from engine.cli.text import short, visible

if TYPE_CHECKING:
    from engine.evals.results import CaseResult, Evaluation


class Progress:
    """How many of the runs have ended."""

    def __init__(self, runs: int) -> None:
        """Take how many there are."""
        self.runs, self.ended, self._failed = runs, 0, 0
        self._show: Callable[[], None] | None = None

    def count(self, result: "CaseResult") -> None:
        """Nothing; one more has ended."""
        self.ended += 1
        self._failed += not result.passed
        if self._show is not None:
            self._show()

    @contextmanager
    def shown(self, *, terminal: bool) -> Iterator[None]:
        """A bar on stderr, as long as the context lasts; none without a terminal."""
        if not terminal:
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("runs", total=self.runs)
            self._show = lambda: bar.update(
                task, completed=self.ended, description=f"runs, {self._failed} failed"
            )
            yield


def print_evaluation(evaluation: "Evaluation", *, as_json: bool) -> None:
    """Print a table of the runs, what failed, and what it comes to; or all of it as JSON."""
    if as_json:
        print_json(evaluation)
        return
    _print_table(evaluation)
    for one in evaluation.results:
        if not one.passed:
            click.echo(f"\nFAILED {_name(one)}, run {one.run_id}:")
            for words in one.failures:
                click.echo(f"  {short(words, 2000)}")
    click.echo(
        f"\n{evaluation.passed} of {evaluation.runs} runs passed ({evaluation.success_rate:.1%}),"
        f" {evaluation.tokens} tokens, cost {money(evaluation.cost)},"
        f" latency median {evaluation.seconds_median:.2f} s, p95 {evaluation.seconds_p95:.2f} s"
    )


def _print_table(evaluation: "Evaluation") -> None:
    rows = (
        (
            _name(one),
            "passed" if one.passed else "FAILED",
            one.state or "no run",
            len(one.calls),
            one.turns,
            one.tokens,
            money(one.cost),
            f"{one.seconds:.2f}",
        )
        for one in evaluation.results
    )
    titles = ("case", "result", "state", "calls", "turns", "tokens", "cost", "seconds")
    console().print(table(*titles, rows=rows, numbers=3))


def _name(one: "CaseResult") -> str:
    again = f" #{one.repetition}" if one.repetition > 1 else ""
    return f"{visible(one.name)}{again}"

"""The subcommand that evaluates workflows by cases: eval."""

import asyncio
import fnmatch
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from engine.catalogue import MEMORY
from engine.cli.options import Settings, choose_model
from engine.cli.root import Interrupted, command, model_option

if TYPE_CHECKING:
    from engine.core.workflow import Workflow
    from engine.evals.cases import Case
    from engine.evals.results import Evaluation
    from engine.ports import ModelClient


@command("eval")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="At most so many runs at once.",
)
@click.option(
    "--min-success",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Exit 1 where a smaller part of the runs passes.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML there."
)
@model_option
def evaluate_cases(  # noqa: PLR0913 # what there is to say about it
    settings: Settings,
    *,
    file: Path,
    concurrency: int,
    min_success: float,
    junit: Path | None,
    model: str | None,
) -> int:
    """Run the cases in FILE (YAML or JSON Lines), and check what became of each.

    Their tools are called, and nobody is notified. The runs are kept in memory, unless
    --store is given here.
    """
    from engine.cli.scores import print_evaluation
    from engine.evals.files import read_cases

    if junit is not None and not junit.parent.is_dir():
        raise click.UsageError(f"--junit: there is no folder {junit.parent}")
    cases = read_cases(file)
    evaluation = _evaluate(settings, cases, concurrency, choose_model(model))
    print_evaluation(evaluation, as_json=settings.json)
    if junit is not None:
        from engine.cli.junit import write_junit

        write_junit(evaluation, junit)
    if evaluation.success_rate >= min_success:
        return 0
    passed = f"{evaluation.passed} of {evaluation.runs} runs passed"
    click.echo(f"waystation: {passed}, and {min_success * 100:g}% of them were to", err=True)
    return 1


def _evaluate(
    settings: Settings, cases: "list[Case]", concurrency: int, model: "ModelClient | None"
) -> "Evaluation":
    from engine.cli.app import load_workflows
    from engine.cli.scores import Progress
    from engine.evals.evaluate import evaluate

    workflows = [replace(one, notifiers=()) for one in load_workflows(settings.app)]
    progress = Progress(sum(case.repeat for case in cases))
    if model is None:
        click.echo("No OPENAI_API_KEY: the workflows' own models are in use.", err=True)

    async def act(apart: Settings) -> "Evaluation":
        async with apart.trying(model, workflows) as engine:
            with progress.shown(terminal=sys.stderr.isatty()):
                return await evaluate(
                    cases, engine, concurrency=concurrency, on_result=progress.count
                )

    try:
        with _apart(settings, workflows) as apart:
            return _told(asyncio.run(act(apart)), cases, workflows)
    except KeyboardInterrupt:
        ended = f"{progress.ended} of {progress.runs} runs had ended"
        words = f"interrupted: {ended}; nothing was reported, say it again to begin anew"
        raise Interrupted(words) from None


def _told(
    evaluation: "Evaluation", cases: "list[Case]", workflows: "list[Workflow]"
) -> "Evaluation":
    """The same without what is secret by these workflows, or by its shape.

    So is what the cases expect in the place of a secret.
    """
    from engine.core.secrecy import Secrecy

    secrecy = Secrecy()
    for one in workflows:
        secrecy = secrecy.under(one)
    for want in (want for case in cases for want in case.expect.calls or ()):
        when = {} if want.where is None or callable(want.where) else dict(want.where)
        said = {"arguments": want.arguments, "ran": want.exactly, "when": when}
        for tool in fnmatch.filter(secrecy.paths, want.tool):
            secrecy = secrecy.knowing({"tool": tool, **said})
    return secrecy.hearing(evaluation).told(evaluation)


@contextmanager
def _apart(settings: Settings, workflows: "list[Workflow]") -> Iterator[Settings]:
    """Where the runs are kept: apart from all others, unless the command line names a place.

    A store that the environment names is where real runs are. What writes inside a
    store's transactions gets a file of its own.
    """
    log = settings.log if _is_said("log") else None
    if _is_said("store"):
        yield replace(settings, log=log)
    elif any(tool.transactional for one in workflows for tool in one.tools):
        with tempfile.TemporaryDirectory() as folder:
            yield replace(settings, log=log, store=f"sqlite:///{folder}/runs.db")
    else:
        yield replace(settings, log=log, store=MEMORY)


def _is_said(option: str) -> bool:
    """Whether the command line gives that option, before or after the subcommand."""
    context: click.Context | None = click.get_current_context()
    while context is not None:
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            return True
        context = context.parent
    return False

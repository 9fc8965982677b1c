"""The subcommand that holds recorded runs against today's code."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from engine.cli.options import Settings, choose_model
from engine.cli.recorded import note_damage
from engine.cli.root import command, model_option
from engine.cli.text import block, visible
from engine.errors import (
    ArchivedRunError,
    BadInputError,
    CorruptRunError,
    DefinitionError,
    EngineError,
    UnknownRunError,
    UnknownWorkflowError,
)

if TYPE_CHECKING:
    from engine.api.recordings import Recording
    from engine.core.workflow import ModelClient, Workflow
    from engine.logs.reading import Tally
    from engine.replaying.divergence import Divergence


class _Result(NamedTuple):
    """What came of one run; `fault` is why it could not be rerun.

    `otherwise` where the workflow is declared otherwise, which made no difference.
    """

    recording: "Recording"
    divergence: "Divergence | None" = None
    fault: str | None = None
    otherwise: bool = False

    @property
    def is_good(self) -> bool:
        return self.divergence is None and self.fault is None


@command("rerun")
@click.argument("recorded", metavar="LOG|RUN...", nargs=-1, required=True)
@click.option("--live-model", is_flag=True, help="Ask a model, and compare its tool calls only.")
@model_option
def rerun(
    settings: Settings, *, recorded: tuple[str, ...], live_model: bool, model: str | None
) -> int:
    """Hold recorded runs against today's code: each of a LOG, or a RUN of the store.

    Nothing is run, asked or told. The first thing that today's code would do otherwise is
    named; then the exit code is 1.
    """
    from engine.cli.app import load_workflows
    from engine.logs.reading import Tally

    if model and not live_model:
        raise click.UsageError("--model goes with --live-model")
    workflows = {one.name: one for one in load_workflows(settings.app)}
    client = choose_model(model) if live_model else None
    tally, results = Tally(), []
    logs = [Path(one) for one in recorded if Path(one).is_file()]
    run_ids = [one for one in recorded if Path(one) not in logs]

    async def work() -> None:
        ways = _Ways(workflows, client, live=live_model)
        try:
            async for one in _recordings(settings, logs, run_ids, tally):
                results.append(await ways.result(one))
                if not settings.json:
                    _print(results[-1], live=live_model)
        finally:
            await ways.close()

    asyncio.run(work())
    if not results and not tally.damaged:
        raise BadInputError(f"no run is recorded in {', '.join(map(str, logs))}")
    _print_rest(results, tally, settings)
    return int(bool(tally.damaged) or not all(one.is_good for one in results))


async def _recordings(
    settings: Settings, logs: Iterable[Path], run_ids: Iterable[str], tally: "Tally"
) -> "AsyncIterator[Recording]":
    """The runs of the logs, then those of the store."""
    from engine.api.recordings import Recording, recordings
    from engine.api.wiring import keys_of

    for one in recordings(logs, tally, keys_of(settings.audit_key)):
        yield one
    for run_id in run_ids:
        async with settings.reading() as engine:
            try:
                run, journal = await engine.run(run_id), await engine.journal(run_id)
            except ArchivedRunError:
                raise
            except UnknownRunError as error:
                words = f"there is neither a log nor a run {run_id!r} here"
                raise UnknownRunError(words) from error
            yield Recording(run_id, run.workflow, journal)


class _Ways:
    """The workflows of today, and the models that may be asked in their place."""

    def __init__(
        self, workflows: "Mapping[str, Workflow]", client: "ModelClient | None", *, live: bool
    ) -> None:
        """Take what recorded runs are held against."""
        self._workflows, self._client, self._live = workflows, client, live

    async def result(self, one: "Recording") -> _Result:
        """What comes of one run."""
        try:
            if differs := await self._divergence(one):
                return _Result(one, one.told(differs))
            return _Result(one, otherwise=self._otherwise(one))
        except EngineError as error:
            return _Result(one, fault=one.told_text(str(error)))

    async def close(self) -> None:
        """Nothing; the models give their connections back."""
        from engine.ports import Closeable

        for model in (self._client, *(one.model for one in self._workflows.values())):
            if isinstance(model, Closeable):
                await model.aclose()

    def _otherwise(self, one: "Recording") -> bool:
        from engine.core.evolve import fold

        run, workflow = fold(one.journal), self._workflows.get(one.workflow)
        known = run.definition if run else ""
        return bool(known and workflow and known != workflow.definition)

    async def _divergence(self, one: "Recording") -> "Divergence | None":
        workflow = self._workflows.get(one.workflow)
        if workflow is None and one.fault is None:
            known = ", ".join(sorted(self._workflows)) or "none"
            words = f"there is no workflow {one.workflow!r}; there are: {known}"
            raise UnknownWorkflowError(f"{words}; is another app meant (--app)?")
        if one.fault is not None or workflow is None:
            raise CorruptRunError(one.fault)
        if not self._live:
            return one.rerun(workflow)
        model = self._client or workflow.model
        if model is None:
            words = f"workflow {workflow.name} has no model of its own: set OPENAI_API_KEY"
            raise DefinitionError(words)
        from engine.replaying.live import rerun_live

        return await rerun_live(one.journal, workflow, model)


def _print(result: _Result, *, live: bool) -> None:
    one, differs = result.recording, result.divergence
    name = visible(f"{one.run_id} ({one.workflow})")
    if result.fault is not None:
        click.echo(f"{name} cannot be rerun: {visible(result.fault)}")
    elif differs is None:
        same = "gets the same tool calls from this model" if live else "reruns as it was recorded"
        click.echo(f"{name} {same}: {len(one.journal)} events")
        if result.otherwise and not live:
            click.echo("    (the workflow is declared otherwise, in what made no difference here:")
            click.echo(
                "    what tools say of themselves, hints, limits, policies or redacted keys)"
            )
    else:
        click.echo(f"{name} diverges at {visible(differs.words)}")
        if differs.diff:
            click.echo(f"    {block(differs.diff)}")


def _print_rest(results: list[_Result], tally: "Tally", settings: Settings) -> None:
    from dataclasses import asdict

    from engine.cli.output import print_json

    if settings.json:
        runs = [
            {
                "run_id": one.recording.run_id,
                "workflow": one.recording.workflow,
                "events": len(one.recording.journal),
                "divergence": one.divergence and one.divergence.model_dump(mode="json"),
                "fault": one.fault,
                "declared_otherwise": one.otherwise,
            }
            for one in results
        ]
        print_json({"runs": runs, **asdict(tally)})
        return
    note_damage(tally.damaged)
    differing = sum(not one.is_good for one in results)
    if len(results) != 1:
        click.echo(f"{len(results)} runs, of which {differing} differ or cannot be rerun.")

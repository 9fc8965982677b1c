"""What a person sees while a run is driven: a line a transition, and what is live below."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

import click

from engine.cli.text import short, visible

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from rich.text import Text

    from engine.api import Engine
    from engine.core.run import Run

_LONG = 5  # seconds to wait
_KEPT_FREE = 4  # lines of the screen


class PlainView:
    """Plain lines, for pipes and files."""

    run_id: str | None = None
    offline = False
    _unread = False

    def __init__(self) -> None:
        """Remember when it began: what happened before is shown as such."""
        self._since = datetime.now(UTC).isoformat(timespec="microseconds")

    def info(self, event: str, **fields: object) -> None:
        """See Logger."""
        if event != "transition":  # a refusal, which the command itself will tell
            return
        if self.offline and self.run_id is None:
            self.notice("No OPENAI_API_KEY: the workflow's own model is in use.")
        self.run_id = str(fields["run_id"])
        if line := self.line(fields, earlier=str(fields["at"]) < self._since):
            self.show(line)

    def line(self, fields: dict[str, object], *, earlier: bool) -> str:
        """What is shown of a transition; empty where nothing is."""
        return f"{describe(fields)}{'  (earlier)' if earlier else ''}"

    def notice(self, words: str) -> None:
        """Tell the person something about the command itself."""
        click.echo(words, err=True)

    def show(self, line: str) -> None:
        """Print one line, as long as somebody reads: a closed pipe stops no run."""
        if not self._unread:
            try:
                click.echo(line)
            except OSError:
                self._unread = True

    def live(self) -> AbstractContextManager[object]:
        """A context in which a run is driven."""
        return nullcontext()

    async def watch(self, engine: "Engine", run_id: str, doing: "Awaitable[Run]") -> "Run":
        """The run, after that was done with it before the person's eyes."""
        del engine, run_id
        return await doing


class TerminalView(PlainView):
    """The same lines, and below them what the model writes, and where the run is right now."""

    def __init__(self) -> None:
        """Begin the clock."""
        from rich.console import Console

        super().__init__()
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._began = time.monotonic()
        self._now = "starting"
        self._turn = self._tokens = self._seq = 0
        self._text = ""

    def info(self, event: str, **fields: object) -> None:
        """See Logger."""
        data = fields["data"]
        if isinstance(data, dict) and event == "transition":
            self._follow(data, str(fields["dest"]), str(fields["trigger"]))
            if fields["trigger"] != "message_received":  # with all else the model's try is over
                self._seq, self._text = int(str(fields["seq"])), ""
        super().info(event, **fields)

    def notice(self, words: str) -> None:
        """See PlainView; where it would come onto the live line, it is printed above it."""
        if sys.stderr.isatty():
            self.show(words)
        else:
            super().notice(words)

    def show(self, line: str) -> None:
        """Print one line above the live one."""
        self._console.print(line, soft_wrap=True)

    def live(self) -> AbstractContextManager[object]:
        """The live line, until the context ends."""
        from rich.live import Live

        self._began = time.monotonic()
        return Live(
            console=self._console, get_renderable=self._below, refresh_per_second=8, transient=True
        )

    async def watch(self, engine: "Engine", run_id: str, doing: "Awaitable[Run]") -> "Run":
        """See PlainView; what the model writes is seen as it comes."""
        from engine.core.updates import TextDelta

        updates = engine.masked.watch(run_id, doing)
        async for update in updates:
            if isinstance(update, TextDelta) and update.seq >= self._seq:
                gap = " … " if update.missed else ""
                self._text = f"{self._text}{gap}{update.text}"
        return await updates.run()

    def _below(self) -> "Text":
        """The end of what the model is writing, as much as there is room for, and the line."""
        line, console = self._line(), self._console
        room, width = max(1, console.height - _KEPT_FREE), console.width
        text = visible(self._text[-room * width :], keep="\n").strip("\n")
        if not text:
            return line
        from rich.text import Text

        lines = Text(text).wrap(console, width)[-room:]
        return Text("\n").join([*lines, line])

    def _follow(self, data: dict[str, object], state: str, trigger: str) -> None:
        self._turn += trigger in ("tools_requested", "model_answered")
        usage = data.get("usage")
        if isinstance(usage, dict):
            self._tokens += usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
        tool = data.get("tool") if trigger == "tool_started" else None
        self._now = short(f"{state} {tool or ''}".rstrip())

    def _line(self) -> "Text":
        from rich.text import Text

        elapsed = time.monotonic() - self._began
        words = f"{self._now} · turn {self._turn} · {elapsed:.0f} s · {self._tokens} tokens"
        return Text(words, style="dim")


class SilentView(PlainView):
    """Nothing, where a machine reads the output."""

    def show(self, line: str) -> None:
        """Print nothing."""

    @classmethod
    def lines(cls, *, as_json: bool, offline: bool) -> Self | PlainView:
        """A line a transition, or nothing for machines; for many runs at once."""
        view = cls() if as_json else PlainView()
        view.offline = offline
        return view

    @classmethod
    def choose(cls, *, as_json: bool, offline: bool) -> Self | PlainView:
        """The view that fits who reads; where `offline`, it says so before its first line."""
        terminal = sys.stdout is not None and sys.stdout.isatty()
        view = cls() if as_json else TerminalView() if terminal else PlainView()
        view.offline = offline
        return view


def describe(fields: dict[str, object]) -> str:
    """One transition as a readable line."""
    data = fields["data"] if isinstance(fields["data"], dict) else {}
    source = fields["source"] or "[*]"
    move = str(source) if source == fields["dest"] else f"{source} -> {fields['dest']}"
    detail = short(_detail(data)) + _again(data, str(fields["at"]))
    place = f"{short(str(fields['run_id']))} {fields['seq']:>3}"
    return f"{place}  {fields['trigger']:<18} {move}  {detail}".rstrip()


def _again(data: dict[str, object], at: str) -> str:
    """When it is tried again, where that takes long enough to wonder."""
    try:
        due = datetime.fromisoformat(str(data.get("retry_at"))).astimezone(UTC)
    except (ValueError, OverflowError):  # there is none, or a log has it in another form
        return ""
    late = (due - datetime.fromisoformat(at)).total_seconds() >= _LONG
    return f"  (again at {due:%H:%M:%S} UTC)" if late else ""


def _detail(data: dict[str, object]) -> str:
    """The field of an event that says most about it."""
    message = data.get("message")
    if isinstance(message, dict):
        calls = message.get("tool_calls") or ()
        return ", ".join(call["function"]["name"] for call in calls) or str(message.get("content"))
    if isinstance(message, str):
        return message
    if isinstance(raised := data.get("raised"), dict):
        more = ", ".join(f"{name} +{Decimal(amount):f}" for name, amount in raised.items())
        return f"{more}  {data.get('by')}"
    if isinstance(used := data.get("strategies"), list):
        return f"{', '.join(used)}: {data['before']} -> {data['tokens']} tokens"
    if "approval_id" in data and "tool" not in data:
        by = data.get("by") if data.get("by") != _first(data) else None
        called = f"{data.get('call_id')}  {_first(data)}".strip()
        return f"{called}{f'  (by {by})' if by else ''}"
    return _first(data)


def _first(data: dict[str, object]) -> str:
    for key in ("error", "reason", "content", "tool", "notifier", "by", "outcome", "words"):
        if data.get(key):
            return str(data[key])
    return ""

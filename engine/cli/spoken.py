"""What a person sees of a run they talk with: what is said, and which tools are at work."""

import sys

from engine.cli.live import PlainView, TerminalView
from engine.cli.text import block, short


class ChatLines(PlainView):
    """Lines of a conversation, in the place of transitions."""

    name = ""
    answer: str | None = None  # the newest that was shown

    def line(self, fields: dict[str, object], *, earlier: bool) -> str:
        """See PlainView."""
        data = fields["data"]
        if earlier or not isinstance(data, dict):
            return ""
        match fields["trigger"]:
            case "tools_requested" | "model_answered" | "answer_superseded":
                return self._said(data.get("message"))
            case "tool_started":
                return f"  · {short(str(data['tool']))}"
            case "tool_failed" | "tool_interrupted" | "model_failed":
                return f"  · {short(str(data.get('error')))}"
        return ""

    def _said(self, message: object) -> str:
        text = message.get("content") if isinstance(message, dict) else None
        if not isinstance(text, str) or not text:
            return ""
        self.answer = text
        return said_by(self.name, text)


class TerminalChat(ChatLines, TerminalView):
    """The same, and below it what is being written."""


def view_of(workflow: str, *, offline: bool) -> ChatLines:
    """The view that fits who reads."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    view = TerminalChat() if terminal else ChatLines()
    view.name, view.offline = workflow, offline
    return view


def said_by(workflow: str, text: str) -> str:
    """A text of the model's; no line of it stands where the command's own do."""
    return f"{short(workflow)}> {block(text)}"

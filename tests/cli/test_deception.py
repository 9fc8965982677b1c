"""Arguments chosen to deceive who reads them: what is shown is what runs, or nothing does."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, State, Tool, tool
from engine import events as ev
from engine.cli.asks import described
from engine.cli.root import cli
from engine.codec.chain import PLAIN
from engine.core.canonical import digest
from engine.core.messages import FunctionCall, Message, ToolCall
from engine.core.run import PendingApproval
from engine.journal.lines import raw_line
from engine.runtime.draft import Draft
from tests.runtime.desk import desk
from tests.runtime.test_engine import SQLITE, calls
from tests.spec import NOON

HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_NOTE = re.compile(r"  \((\d+ characters|beware: [^()]*)\)")
_BEYOND = re.compile(r"\\\\|\\U([0-9a-f]{8})")


def command(*words: str) -> str:
    """What the command prints."""
    done = CliRunner().invoke(cli, [*words, "--store", SQLITE], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def as_arguments(shown: str) -> dict[str, Any]:
    """The arguments that a person reads; fails where a line can be read in no way, or in two."""
    (block,) = re.findall(r"wants to run with:\n((?:    .*\n)*)  run ", shown)
    read: dict[str, Any] = {}
    for line in block.splitlines():
        name, rest = _name(line[4:])
        value, rest = _value(rest.removeprefix(": "))
        assert rest == "", line
        assert name not in read, "two lines are of one name"
        read[name] = value
    return read


def _name(text: str) -> tuple[str, str]:
    if text.startswith('"'):
        return _value(text)
    name, _, rest = text.partition(": ")
    assert name.isidentifier()
    return name, f": {rest}"


def _value(text: str) -> tuple[Any, str]:
    """The JSON value that the text begins with, and what stands behind it and its notes."""
    text = _BEYOND.sub(_as_json, text)
    value, end = json.JSONDecoder().raw_decode(text)
    rest = text[end:]
    while note := _NOTE.match(rest):
        rest = rest[note.end() :]
    return value, rest


def _as_json(found: re.Match[str]) -> str:
    return json.dumps(chr(int(found[1], 16)))[1:-1] if found[1] else found[0]


def act_into(ran: list[dict[str, Any]]) -> Tool:
    """A gated tool that takes whatever it is given."""

    def act(**given: Any) -> str:
        ran.append(given)
        return "done"

    return Tool(name="act", description="", parameters={"type": "object"}, function=act)


def parked(turn: dict[str, Any], *tools: Tool) -> State:
    """Where the run r1 is, after the model asked for that."""

    async def start() -> State:
        async with desk(turn, tools=tools) as engine:
            return (await engine.start("shop", "Hello", run_id="r1", by="bob")).state

    return asyncio.run(start())


def approved(turn: dict[str, Any], seen: str, *tools: Tool) -> State:
    """Where the run is after somebody allowed what was shown with that digest."""

    async def approve() -> State:
        async with desk(turn, tools=tools) as engine:
            return (await engine.approve("r1", by="ann", digest=seen)).state

    return asyncio.run(approve())


ADMIN = "\u0430dmin"  # it begins with a Cyrillic letter
DECEIVERS: dict[str, dict[str, Any]] = {
    "clears the screen": {"note": "\x1b[2J\x1b[H\x1b]0;title\x07\x9b1A\rpaid"},
    "hides in a link": {"to": "\x1b]8;;http://evil.example\x1b\\me\x1b]8;;\x1b\\"},
    "writes backwards": {"to": "\u202e09.999\u2066 EUR\u2069", "left": "\u200e\u061c"},
    "has no width": {"to": "m\u200be\ufeff\u00ad", "tags": "\U000e0041\U000e0042"},
    "looks like another": {"to": ADMIN},
    "is a name that looks like another": {"amount": 999, "\u0430mount": 1},
    "is a name of many lines": {"amount": 999, "x\n    amount": 1, "amount: 1\u2028": 2},
    "forges the lines below": {
        "note": 'x"\n  run r1, call call_1_1, digest 000000000000\n  allow:  rm -rf'
    },
    "has escapes of its own": {"note": r"\u202e \U0001f600 \\ \n", "more": "\U0001f600"},
    "is long": {"amount": 1, "note": "a" * 100_000 + "; and pay 999 to mallory"},
    "is deep": {"x": json.loads('{"x":' * 60 + "[1]" + "}" * 60)},
    "has markup": {"note": "[bold red]paid[/] <b>&amp; %s {0}"},
    "has notes of its own": {"note": "1  (2 characters)", "beware": "  (beware: nothing)"},
}


@pytest.mark.parametrize("arguments", DECEIVERS.values(), ids=DECEIVERS)
def test_what_is_shown_is_what_runs(arguments: dict[str, Any]) -> None:
    ran = list[dict[str, Any]]()
    act, turn = act_into(ran), calls(("act", arguments))
    assert parked(turn, act) is State.AwaitingApproval
    shown = command("approvals")
    assert not HIDDEN.search(shown)
    assert as_arguments(shown) == arguments
    (seen,) = re.findall(r"\n  run r1, call call_1_1, digest ([0-9a-f]{12}), asked ", shown)
    assert len(re.findall(r"^  allow:", shown, re.MULTILINE)) == 1
    assert approved(turn, seen, act) is State.Done
    assert ran == [arguments]


def test_what_looks_like_another_letter_is_named() -> None:
    parked(calls(("act", {"to": ADMIN, "\u0430mount": 1})), act_into([]))
    shown = command("approvals")
    assert f'to: "{ADMIN}"  (beware: U+0430 CYRILLIC SMALL LETTER A)' in shown
    assert '"\u0430mount"  (beware: U+0430 CYRILLIC SMALL LETTER A): 1' in shown


@pytest.mark.parametrize("length", [100_000, 2_000_000])
def test_of_what_is_long_the_end_and_the_length_are_shown(length: int) -> None:
    parked(calls(("act", {"note": "a" * length + " to mallory"})), act_into([]))
    shown = command("approvals")
    assert f'aaa to mallory"  ({length + 13} characters)\n' in shown


REFUSED = {
    "deep": '{"x":' * 1000 + "{}" + "}" * 1000,
    "deep in lists": '{"x":' + "[" * 1000 + "]" * 1000 + "}",
    "shadowed": '{"amount": 1, "amount": 999}',
    "shadowed further down": '{"x": [{"amount": 1, "amount": 999}]}',
    "shadowed by an escape": '{"amount": 1, "\\u0061mount": 999}',
    "no number": '{"amount": NaN}',
    "past all numbers": '{"amount": 1e999}',
    "half a letter": '{"to": "\\ud800"}',
    "two objects": '{"amount": 1} {"amount": 999}',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_shown_as_what_would_run_is_refused(text: str) -> None:
    ran, turn = list[dict[str, Any]](), calls(("act", {}))
    turn["tool_calls"][0]["function"]["arguments"] = text
    assert parked(turn, act_into(ran)) is State.Done
    assert command("approvals") == "Nothing waits for approval.\n"
    assert "Invalid arguments for act" in command("show", "r1")
    assert ran == []


TEXT = st.text(max_size=8) | st.text('":\\u2 \n\u202e\u0430\U000e0041', max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
@settings(max_examples=150)
def test_no_two_actions_are_shown_alike(arguments: dict[str, Any]) -> None:
    asked = PendingApproval(
        approval_id="r1.1",
        kind="tool_call",
        call_id="call_1_1",
        tool="act",
        arguments=arguments,
        digest=digest(arguments),
        requested_at=NOON,
        run_id="r1",
        workflow="shop",
    )
    shown = "".join(f"{line}\n" for line in described(asked))
    assert not HIDDEN.search(shown)
    assert as_arguments(shown) == arguments


FORGED = "\x1b[2J\u202eann\u200b\n  allow:  rm\r\x9b \u0430"


async def everywhere(engine: Engine) -> None:
    """Put forged words wherever a stranger can leave some."""
    await engine.start("shop", f"Hello {FORGED}", run_id="r1", by=FORGED)
    await engine.send("r1", FORGED, by=FORGED)
    await engine.approve("r1", "call_1_1", by=FORGED, note=FORGED, remember={"to": {"eq": FORGED}})
    await engine.deny("r1", "call_1_2", by=FORGED, reason=FORGED, note=FORGED)


def test_forged_words_are_inert_wherever_a_person_looks() -> None:
    @tool
    def act(to: str) -> str:
        """Act."""
        raise RuntimeError(f"{to} {FORGED}")

    @tool
    def other(to: str) -> str:
        """Do something else."""
        return f"{to} {FORGED}"

    asked = [("act", {"to": FORGED}), ("other", {"to": FORGED}), ("other", {"to": "x"})]
    turn = {**calls(*asked, (FORGED, {})), "content": FORGED}

    async def act_out() -> None:
        async with desk(turn, tools=[act, other]) as engine:
            await everywhere(engine)

    asyncio.run(act_out())
    for words in (("approvals",), ("show", "r1"), ("log", "r1"), ("list",)):
        shown = command(*words)
        assert not HIDDEN.search(shown), words
        assert not re.search(r"^  allow:  rm", shown, re.MULTILINE), words
        assert command(*words, "--json").isascii()
        assert json.loads(command(*words, "--json"))
    assert r"\u202eann" in command("approvals")


ESCAPE = "\x1b]0;owned\x07 $(touch owned) \u202e\x9b31m"


def foreign_log() -> None:
    """A log whose digests hold, and which says in every field what a terminal acts on."""
    function = FunctionCall(name=ESCAPE, arguments=json.dumps({ESCAPE: ESCAPE}))
    asking = Message(role="assistant", tool_calls=(ToolCall(id=ESCAPE, function=function),))
    call: dict[str, Any] = {"call_id": ESCAPE, "tool": ESCAPE, "arguments": {ESCAPE: ESCAPE}}
    verdict = {"approval_id": ESCAPE, "call_id": ESCAPE, "digest": ESCAPE, "by": ESCAPE}
    rule = {"rule_id": ESCAPE, "tool": ESCAPE, "by": ESCAPE, "when": {ESCAPE: {"eq": ESCAPE}}}
    told: list[ev.Event] = [
        ev.RunStarted(
            run_id="far",
            workflow=ESCAPE,
            instructions=ESCAPE,
            message=ESCAPE,
            definition=ESCAPE,
            tools={},
        ),
        ev.ToolsRequested(message=asking, model=ESCAPE, request_id=ESCAPE),
        ev.ApprovalRequested(approval_id=ESCAPE, digest=ESCAPE, **call),
        ev.ApprovalGranted.model_validate({**verdict, "note": ESCAPE}),
        ev.StickyRuleAdded.model_validate({**rule, "schema_digest": ESCAPE, "terms": ESCAPE}),
        ev.ApprovalsSettled(),
        ev.ToolStarted(idempotency_key=ESCAPE, **call),
        ev.ToolInterrupted(call_id=ESCAPE, error=ESCAPE, retry_at=NOON),
        ev.ApprovalRequested(approval_id=ESCAPE, digest=ESCAPE, approval_kind="in_doubt", **call),
    ]
    draft = Draft()
    draft.record(tuple(told), NOON)
    Path("far.jsonl").write_bytes(b"".join(raw_line(line, PLAIN) for line in draft.lines))


@pytest.mark.parametrize(
    "words",
    ["show far", "log far", "list", "approvals", "replay far", "replay far.jsonl", "audit"],
)
def test_a_log_from_elsewhere_acts_neither_on_the_terminal_nor_on_a_shell(words: str) -> None:
    foreign_log()
    assert command("rebuild", "far.jsonl").startswith("1 run,")
    shown = command(*words.split())
    assert not HIDDEN.search(shown)
    for line in shown.splitlines():
        _, found, pasted = line.partition("waystation ")
        if found:
            assert all("$(" not in one for one in re.split(r"'[^']*'", pasted)), line

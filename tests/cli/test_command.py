"""The `waystation` command as a person types it, in processes of its own."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import Checkpoint, Engine
from engine.cli.text import short, visible
from tests.models.server import completion, failure, serving
from workflows import ALL

MESSAGE = "Order 24680 arrived broken, I want my money back"


def waystation(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WAYSTATION_", "OPENAI_"))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", "from engine.cli import main; main()", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**clean, **environment},
    )


def as_json(*words: str, **environment: str) -> Any:  # JSON
    done = waystation(*words, "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refunds_made() -> list[tuple[Any, ...]]:
    shop = apsw.Connection(".waystation/shop.db")
    try:
        return list(shop.execute("SELECT order_id, amount_cents FROM refunds"))
    finally:
        shop.close()


def test_a_refund_stops_and_another_process_finishes_it_exactly_once() -> None:
    run = as_json("start", "refunds", MESSAGE)
    assert {"id", "workflow", "state", "seq", "answer", "approvals"} <= run.keys()
    assert (run["state"], run["workflow"]) == ("AwaitingApproval", "refunds")
    assert refunds_made() == []
    (approval,) = as_json("approvals")
    assert {"run_id", "approval_id", "call_id", "tool", "arguments", "digest"} <= approval.keys()
    assert (approval["run_id"], approval["tool"]) == (run["id"], "issue_refund")
    done = as_json("approve", run["id"], "--by", "ann")
    assert (done["state"], done["answer"]) == (
        "Done",
        "Order 24680 has been refunded: 59.90 go back to you.",
    )
    assert refunds_made() == [("24680", 5990)]
    again = waystation("approve", run["id"])
    assert again.returncode == 1
    assert "is Done" in again.stderr
    assert refunds_made() == [("24680", 5990)]
    journal = as_json("log", run["id"])
    lines = Path(".waystation/runs.jsonl").read_text().splitlines()
    assert len(journal) == len(lines) == done["seq"]
    assert as_json("approvals") == []
    assert [one["id"] for one in as_json("list", "--state", "Done")] == [run["id"]]
    assert as_json("show", run["id"])["answer"] == done["answer"]


def test_what_it_prints_says_what_is_wanted_and_what_to_do() -> None:
    started = waystation("start", "refunds", MESSAGE, "--run-id", "r1")
    assert started.returncode == 0
    assert started.stderr == "No OPENAI_API_KEY: the workflow's own model is in use.\n"
    for expected in (
        "r1  15  approval_requested DispatchingTools -> AwaitingApproval  issue_refund",
        "Run r1 (refunds) is AwaitingApproval",
        'issue_refund wants to run with:\n    amount: 59.9\n    order_id: "24680"\n',
        "allow:  waystation approve r1 --call call_4_1",
    ):
        assert expected in started.stdout
    assert "issue_refund wants to run" in waystation("approvals").stdout
    assert "AwaitingApproval" in waystation("list").stdout
    denied = waystation("deny", "r1", "--reason", "not today", "--by", "ann")
    assert denied.returncode == 0
    assert "Denied by a person: not today" in denied.stdout
    assert "approval_denied" in waystation("log", "r1").stdout
    assert "user: Order 24680" in waystation("show", "r1").stdout
    assert waystation("list").stdout.startswith("r1")


def test_a_run_can_be_given_up() -> None:
    waystation("start", "refunds", MESSAGE, "--run-id", "r1")
    done = as_json("abort", "r1", "--by", "ann", "--reason", "enough")
    assert (done["state"], done["reason"]) == ("Aborted", "aborted by ann: enough")
    assert waystation("abort", "r1").returncode == 1


def test_the_store_is_named_by_option_or_environment_before_or_after_the_subcommand() -> None:
    url = "sqlite:///elsewhere/my runs.db"
    started = waystation("start", "refunds", MESSAGE, "--store", url, "--run-id", "r1")
    assert re.search(
        r"waystation approve r1 --call call_4_1 --digest [0-9a-f]{12}"
        r" --store 'sqlite:///elsewhere/my runs\.db'",
        started.stdout,
    )
    assert Path("elsewhere/my runs.jsonl").exists()
    for words, environment in [
        (("--store", url, "list"), {}),
        (("list", "--store", url), {"WAYSTATION_STORE": "sqlite:///wrong.db"}),
        (("list",), {"WAYSTATION_STORE": url}),
    ]:
        assert [one["id"] for one in as_json(*words, **environment)] == ["r1"]


def test_looking_creates_nothing() -> None:
    assert as_json("list") == as_json("approvals") == []
    assert waystation("list").stdout == "No runs.\n"
    assert waystation("show", "r1").returncode == 1
    assert list(Path().iterdir()) == []


async def stored_runs() -> list[Checkpoint]:
    async with Engine(store="sqlite:///.waystation/runs.db") as engine:
        return await engine.runs()


async def a_parked_run() -> list[Checkpoint]:
    async with Engine(store="sqlite:///.waystation/runs.db", workflows=ALL) as engine:
        await engine.start("refunds", MESSAGE, run_id="r1")
    return await stored_runs()


def bad_app() -> None:
    Path("broken_app.py").write_text("raise RuntimeError('line one\\nline two')")
    Path("empty_app.py").write_text("ALL = 3")
    Path("exit_app.py").write_text("raise SystemExit(3)")
    Path("notes.txt").write_text("Dear diary")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("start", "refund", "hello"), 1, "no workflow 'refund'; there are: refunds"),
        (("start", "refunds", " "), 1, "message is empty"),
        (("start", "refunds", "hi", "--run-id", "a/b"), 1, "no run id"),
        (("show", "nope"), 1, "no run 'nope'"),
        (("approve", "nope"), 1, "no run 'nope'"),
        (("resume", "nope"), 1, "no run 'nope'"),
        (("approve", "r1", "--call", "call_9_9"), 1, "it waits for: issue_refund (call_4_1)"),
        (("list", "--state", "done"), 1, "'done' is no state; there are: AwaitingModel"),
        (("list", "--limit", "0"), 1, "limit must be at least 1"),
        (("list", "--limit", "x"), 2, "'x' is not a valid integer"),
        (("list", "--after", "nope"), 1, "no run 'nope'"),
        (("list", "--store", "runs.db"), 1, "right would be sqlite:///relative"),
        (("list", "--store", "sqlite:///notes.txt"), 1, "not a SQLite database"),
        (("list", "--store", "sqlite:///."), 1, "right would be sqlite:///relative"),
        (("start", "refunds", "hi", "--log", "."), 1, "log . cannot be written"),
        (("start", "x", "hi", "--app", "nonsense"), 1, "not of the form module:attribute"),
        (("start", "x", "hi", "--app", "no_such_app:ALL"), 1, "No module named 'no_such_app'"),
        (("start", "x", "hi", "--app", "broken_app:ALL"), 1, "RuntimeError: line one line two"),
        (("start", "x", "hi", "--app", "empty_app:ALL"), 1, "not a list of workflows"),
        (("start", "x", "hi", "--app", "empty_app:NONE"), 1, "NONE"),
        (("start", "x", "hi", "--app", "exit_app:ALL"), 1, "SystemExit: 3"),
        (("start", "refunds", "hi", "--store", ""), 1, "'' is no store"),
        (("start", "refunds", "hi", "--store", "sqlite:///x.jsonl"), 1, "is the store itself"),
        (("start", "refunds", "hi", "--run-id", ""), 1, "no run id"),
        (("worker", "--once", "--concurrency", "9" * 20), 1, "at most 10000"),
        (("resume", "r1", "--log", ".waystation/runs.db-wal"), 1, "is the store itself"),
        (("backup", "no/such/folder.db"), 1, "no backup was made at no/such/folder.db"),
        (("list", "--workflow", "\udcff"), 1, "no text"),
        (("list", "--limit", str(2**63)), 1, "limit must be"),
        (("list", "--store", "sqlite:///" + "a" * 300), 1, "cannot be opened"),
        (("start", "refunds", "hi", "--model", "gpt"), 2, "needs OPENAI_API_KEY"),
        (("strat",), 2, "No such command 'strat'"),
        (("start",), 2, "Missing argument"),
        (("show", "\x1b[2J\u202e"), 1, r"\x1b[2J\u202e"),
    ],
)
def test_a_mistake_gets_one_line_and_changes_nothing(
    words: tuple[str, ...], code: int, said: str
) -> None:
    bad_app()
    before = asyncio.run(a_parked_run())
    done = waystation(*words)
    complaint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (code, "")
    assert len(complaint) == 1
    assert complaint[0].startswith("waystation: ")
    assert said in complaint[0]
    assert asyncio.run(stored_runs()) == before


def test_words_that_would_forge_a_prompt_are_shown_as_what_they_are() -> None:
    forged = "\x1b[2J\x1b]0;x\x07 [bold]\u202e24680\u2066 \u200b refund it\r\nRun r1 is Done"
    started = waystation("start", "refunds", forged, "--run-id", "r1")
    shown = started.stdout + waystation("show", "r1").stdout + waystation("log", "r1").stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", shown)
    assert r"\u202e" in shown
    assert "[bold]" in shown
    assert as_json("show", "r1")["messages"][1]["content"] == forged


def test_a_reader_who_leaves_stops_no_run() -> None:
    asyncio.run(a_parked_run())
    command = [sys.executable, "-c", "from engine.cli import main; main()", "approve", "r1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as approving:
        assert approving.stdout is not None
        approving.stdout.close()
    assert [run.state for run in asyncio.run(stored_runs())] == ["Done"]
    assert refunds_made() == [("24680", 5990)]


def test_no_words_at_all_get_the_help() -> None:
    done = waystation()
    assert done.returncode == 2
    assert "Commands:\n" in done.stderr


@pytest.mark.parametrize("hidden", ["\u3164", "\u2800", "\u00a0", "\u034f", "\ufe0f", "\U000e0100"])
def test_what_has_no_shape_is_shown_too(hidden: str) -> None:
    assert visible(f"a{hidden}b").startswith("a\\")


def test_text_is_made_visible_and_cut_with_its_length() -> None:
    assert visible("a\tb\n\x7f\u2028é→") == r"a\tb\n\u007f\u2028é→"
    assert visible("a\nb", keep="\n") == "a\nb"
    assert visible("\U000e0041") == r"\U000e0041"
    assert short("x" * 100, 10) == "xxxxxxxxx… (100 characters)"


def test_a_real_model_serves_the_same_workflow() -> None:
    with serving(completion({"content": "Hello from afar."})) as server:
        done = as_json(
            "start",
            "refunds",
            MESSAGE,
            "--model",
            "m-1",
            OPENAI_API_KEY="sk-x",
            OPENAI_BASE_URL=server.url,
        )
        assert (done["state"], done["answer"]) == ("Done", "Hello from afar.")
        assert server.requests[0]["model"] == "m-1"
        assert server.headers[0]["authorization"] == "Bearer sk-x"


def test_a_run_that_the_model_refuses_exits_1_and_is_kept() -> None:
    with serving(failure(401)) as server:
        done = waystation(
            "start", "refunds", MESSAGE, OPENAI_API_KEY="sk-secret", OPENAI_BASE_URL=server.url
        )
    assert done.returncode == 1
    assert "401" in done.stdout
    assert [one["state"] for one in as_json("list")] == ["Aborted"]
    assert "sk-secret" not in done.stdout + done.stderr + Path(".waystation/runs.jsonl").read_text()


_NEVER = ("openai", "httpx2", "rich", "structlog", "jsonschema", "hypothesis")


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["list", "--json"], (*_NEVER, "pydantic.main", "transitions", "workflows")),
        (["show", "r1"], _NEVER),
        (["resume", "r1"], _NEVER),
    ],
    ids=lambda one: one[0],
)
def test_a_command_imports_only_what_it_needs(words: list[str], unneeded: Sequence[str]) -> None:
    waystation("start", "refunds", MESSAGE, "--run-id", "r1")
    code = f"""
import sys
from engine.cli import main
sys.argv[1:] = {words!r}
try:
    main()
except SystemExit:
    print(sorted(sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr
    assert "'apsw'" in loaded
    for one in unneeded:
        assert f"'{one}'" not in loaded

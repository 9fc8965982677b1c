"""The command after a crash: doubt, verdicts on it, the worker, and looking after a store."""

import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from engine import EngineError
from engine.cli.root import cli
from tests.cli.test_command import MESSAGE, as_json, waystation

APP = '''
import os, signal, time
from pathlib import Path
from engine import ScriptedModel, Workflow, tool

def says(name):
    function = {"name": name, "arguments": "{}"}
    return {"content": None, "tool_calls": [{"id": "x", "type": "function", "function": function}]}

@tool(approval="never")
def pay() -> str:
    """Pay, and die at it the first time."""
    with Path("paid.txt").open("a") as paid:
        paid.write("paid\\n")
    if not Path("survive").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return "paid"

def shop(*tools):
    return Workflow(name="shop", instructions="", tools=tools,
                    model=ScriptedModel([says("pay"), {"content": "It is paid."}]))

ALL = [shop(pay)]

@tool(approval="never", name="pay")
def other(order: str = "1") -> str:
    """Pay for an order."""
    return order

CHANGED = [shop(other)]

@tool(approval="never", name="pay")
def slow() -> str:
    """Pay, and take a while."""
    time.sleep(600)
    return "paid"

SLOW = [shop(slow)]
'''
SHOP = ("--app", "bank:ALL")


def a_run_in_doubt() -> None:
    Path("bank.py").write_text(APP)
    killed = waystation("start", "shop", "pay", "--run-id", "r1", *SHOP)
    assert killed.returncode == -signal.SIGKILL
    Path("survive").touch()
    parked = waystation("resume", "r1", *SHOP)
    assert parked.returncode == 0
    for expected in (
        "r1   3  tool_started       DispatchingTools  pay  (earlier)\n",
        "IN DOUBT: pay was started, and it is not known whether it happened\n",
        "(its driver stopped while it ran; the tool may not be repeated unasked).",
        "again:  waystation approve r1 --call call_1_1 --digest D --retry --app bank:ALL",
        'it did: waystation answer r1 --call call_1_1 --digest D --app bank:ALL --result "..."',
        'forget: waystation deny r1 --call call_1_1 --digest D --app bank:ALL --reason "..."',
    ):
        assert expected in re.sub("--digest [0-9a-f]{12}", "--digest D", parked.stdout)
    assert Path("paid.txt").read_text() == "paid\n"


def test_a_call_in_doubt_runs_again_only_when_a_person_says_so() -> None:
    a_run_in_doubt()
    refused = waystation("approve", "r1", *SHOP)
    assert refused.returncode == 1
    assert "not known whether pay happened" in refused.stderr
    done = as_json("approve", "r1", "--retry", "--by", "ann", *SHOP)
    assert (done["state"], done["answer"]) == ("Done", "It is paid.")
    assert Path("paid.txt").read_text() == "paid\npaid\n"


def test_a_person_can_say_what_came_of_it() -> None:
    a_run_in_doubt()
    done = as_json("answer", "r1", "--result", "paid, I saw it", "--by", "ann", *SHOP)
    assert done["state"] == "Done"
    assert [m["content"] for m in done["messages"] if m["role"] == "tool"] == ["paid, I saw it"]
    assert Path("paid.txt").read_text() == "paid\n"


def test_a_person_can_give_up_on_it() -> None:
    a_run_in_doubt()
    done = as_json("deny", "r1", "--reason", "leave it", "--by", "ann", *SHOP)
    assert done["state"] == "Done"
    assert "a person gave up on it: leave it" in done["messages"][3]["content"]
    assert Path("paid.txt").read_text() == "paid\n"


def test_changed_code_parks_the_run_and_says_so() -> None:
    Path("bank.py").write_text(APP.replace('"never"', '"always"', 1))
    waystation("start", "shop", "pay", "--run-id", "r1", *SHOP)
    changed = ("--app", "bank:CHANGED")
    parked = waystation("approve", "r1", *changed)
    assert "CHANGED CODE: the tool pay has another schema than when" in parked.stdout
    assert "resume r1 --accept-changes --app bank:CHANGED" in parked.stdout
    refused = waystation("approve", "r1", *changed)
    assert (refused.returncode, refused.stdout) == (1, "")
    done = as_json("resume", "r1", "--accept-changes", *changed)
    assert (done["state"], done["answer"]) == ("Done", "It is paid.")


def test_a_detached_run_is_left_to_a_worker() -> None:
    for name in ("r1", "r2"):
        stored = as_json("start", "refunds", MESSAGE, "--run-id", name, "--detach")
        assert (stored["state"], stored["seq"]) == ("AwaitingModel", 1)
    assert as_json("worker", "--once") == {"failed": []}
    assert [one["state"] for one in as_json("list")] == ["AwaitingApproval"] * 2
    waystation("start", "refunds", MESSAGE, "--run-id", "r3", "--detach")
    assert waystation("resume", "--all").returncode == 0
    assert [one["state"] for one in as_json("list")] == ["AwaitingApproval"] * 3


def test_a_worker_ends_at_sigterm_and_leaves_nothing_leased() -> None:
    waystation("start", "refunds", MESSAGE, "--run-id", "r1", "--detach")
    command = [sys.executable, "-c", "from engine.cli import main; main()", "worker"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        while b"approval_requested" not in worker.stdout.readline():
            assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate()
    assert worker.returncode == 0
    assert b"stopping" in said
    assert re.search(r"leases +none", waystation("doctor").stdout)


def test_a_worker_that_is_told_twice_breaks_off_and_says_so() -> None:
    Path("bank.py").write_text(APP)
    waystation("start", "shop", "pay", "--run-id", "r1", "--detach", "--app", "bank:SLOW")
    command = [sys.executable, "-c", "from engine.cli import main; main()", "worker"]
    command += ["--app", "bank:SLOW"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stderr is not None
        while b"tool_started" not in worker.stdout.readline():
            assert worker.poll() is None
        for words in (b"stopping", b"breaking off"):
            worker.send_signal(signal.SIGINT)
            while words not in worker.stderr.readline():
                assert worker.poll() is None
        _, said = worker.communicate()
    assert worker.returncode == 130
    assert b"broken off; what was running is in doubt" in said
    assert "Traceback" not in said.decode()


def test_the_doctor_says_how_the_store_is_and_what_to_do() -> None:
    waystation("start", "refunds", MESSAGE, "--run-id", "r1", "--detach")
    store = apsw.Connection(".waystation/runs.db")
    store.execute("UPDATE runs SET owner = 'elsewhere/1/2/x', expires = 1, logged = 0")
    store.close()
    said = waystation("doctor").stdout
    for expected in (
        r"SQLite +3\.\d+",
        "journal mode +wal",
        "sync mode +full",
        r"free space +\d+ MiB",
        "lease +run r1: process 1 on elsewhere, until 1970",
    ):
        assert re.search(expected, said), said
    assert as_json("doctor")["journal_mode"] == "wal"
    (lease,) = as_json("doctor")["leases"]
    assert (lease["run_id"], lease["owner"], lease["dead"]) == ("r1", "elsewhere/1/2/x", False)
    assert re.search("owed to the log +0 runs", said)  # a driven run's lines are its driver's


def test_a_damaged_run_is_listed_and_hides_no_other() -> None:
    for name in ("r1", "r2"):
        waystation("start", "refunds", MESSAGE, "--run-id", name)
    assert waystation("verify").stdout.startswith("Every run holds together.\n")
    store = apsw.Connection(".waystation/runs.db")
    store.execute("UPDATE events SET at = at + 1 WHERE run = 1")
    store.execute("UPDATE runs SET checkpoint = 'x' WHERE run_id = 'r1'")
    store.close()
    verified = waystation("verify")
    assert verified.returncode == 1
    assert verified.stdout.startswith("run r1 is damaged at seq 1: its digest")
    assert verified.stdout.count("\n") == 3
    assert list(as_json_of_failed("verify")["damaged"]) == ["r1"]
    listed = waystation("list")
    assert listed.stdout.startswith("r2")
    assert "run r1 is damaged and left out" in listed.stderr
    assert [one["run_id"] for one in as_json("approvals")] == ["r2"]
    assert as_json("approve", "r2")["state"] == "Done"


@pytest.mark.parametrize(
    "damage",
    [
        "workflow = CAST(x'ff41' AS TEXT)",
        "state = CAST(x'ff41' AS TEXT)",
        "run_id = CAST(x'ff41' AS TEXT)",
        "run_id = x'00ff'",
        "owner = x'00ff', expires = 9e18",
        "owner = 'elsewhere/1/2/x', expires = 9000000000000000000",
        "epoch = 'x', tries = 'abc'",
        "seq = 'x', logged = x'00'",
        "ready_at = 'x'",
        "checkpoint = 3",
    ],
)
def test_one_odd_row_breaks_no_command(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("r1", "r2"):
        said(capsys, "start", "refunds", MESSAGE, "--run-id", name, "--detach")
    store = apsw.Connection(".waystation/runs.db")
    store.execute(f"UPDATE runs SET {damage} WHERE run_id = 'r1'")  # noqa: S608 # our own words
    store.close()
    for words in ("approvals", "doctor", "verify"):
        said(capsys, words)
    with suppress(EngineError):
        said(capsys, "show", "r1")
    assert "r2" in said(capsys, "list")
    said(capsys, "worker", "--once")
    assert "Run r2 (refunds) is AwaitingApproval" in said(capsys, "show", "r2")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints, run in this process: an odd error of its own is raised here."""
    cli.main(list(words), standalone_mode=False)
    return capsys.readouterr().out


def as_json_of_failed(*words: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(waystation(*words, "--json").stdout)
    return found


def test_a_backup_is_a_store_of_its_own() -> None:
    waystation("start", "refunds", MESSAGE, "--run-id", "r1")
    assert as_json("backup", "copy.db")["bytes"] == Path("copy.db").stat().st_size
    refused = waystation("backup", "copy.db")
    assert refused.returncode == 1
    assert "something at copy.db already" in refused.stderr
    copy = ("--store", "sqlite:///copy.db")
    assert as_json("approve", "r1", *copy)["state"] == "Done"
    assert as_json("show", "r1")["state"] == "AwaitingApproval"
    assert waystation("backup", "none.db", "--store", "sqlite:///no.db").returncode == 1
    assert not Path("none.db").exists()

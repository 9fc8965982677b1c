"""Keys, anchors, seals and rebuilt stores, as people use them in a terminal."""

import json
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.cli.spoken import run

KEY = "k1:0123456789abcdef0123"


@pytest.fixture(autouse=True)
def _started() -> None:
    message = "Order 24680 arrived broken, I want my money back"
    assert run("start", "refunds", message, "--run-id", "demo").exit_code == 0


def test_verify_says_which_of_the_two_chains_it_is() -> None:
    said = run("verify")
    assert (said.exit_code, said.stdout.splitlines()) == (
        0,
        [
            "Every run holds together.",
            "Under no audit key: 1 run. Their chain finds accidents only.",
        ],
    )
    assert run("seal", "demo", WAYSTATION_AUDIT_KEY=KEY).stdout == "1 run sealed.\n"
    assert "Under the audit key k1: 1 run." in run("verify", WAYSTATION_AUDIT_KEY=KEY).stdout


def test_a_run_of_before_the_key_is_shown_refused_and_sealed() -> None:
    refused = run("approve", "demo", WAYSTATION_AUDIT_KEY=KEY)
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1].endswith("accept it as it is: waystation seal demo")
    shown = run("show", "demo", WAYSTATION_AUDIT_KEY=KEY)
    assert shown.exit_code == 1
    assert "issue_refund" in shown.stdout
    assert "waystation seal demo" in shown.stderr
    assert run("verify", WAYSTATION_AUDIT_KEY=KEY).exit_code == 1
    assert run("seal", "--all", "--by", "ann", WAYSTATION_AUDIT_KEY=KEY).exit_code == 0
    assert run("approve", "demo", WAYSTATION_AUDIT_KEY=KEY).exit_code == 0
    assert "ann" in run("log", "demo", WAYSTATION_AUDIT_KEY=KEY).stdout


def test_anchors_are_kept_in_a_file_and_compared_later() -> None:
    anchors = run("anchor").stdout
    assert json.loads(anchors).keys() == {"run_id", "seq", "digest", "at"}
    file = Path("anchors.jsonl")
    file.write_text(anchors)
    run("approve", "demo")
    assert "1 anchor compared." in run("verify", "--anchors", str(file)).stdout
    file.write_text(anchors.replace('"demo"', '"gone"'))
    found = run("verify", "--anchors", str(file))
    assert (found.exit_code, "run gone is gone" in found.stdout) == (1, True)
    file.write_text("hello\n")
    odd = run("verify", "--anchors", str(file))
    assert odd.stderr == "waystation: anchors.jsonl:1 is not what `waystation anchor` prints\n"
    file.write_text("")
    assert run("verify", "--anchors", str(file)).exit_code == 1


@pytest.mark.parametrize(
    ("words", "environment", "why"),
    [
        (("verify",), {"WAYSTATION_AUDIT_KEY": "bad"}, "is not ID:SECRET"),
        (("verify", "--audit-key-file", "nope"), {}, "the audit keys nope cannot be read"),
        (("seal", "demo"), {}, "there is no audit key to seal with"),
        (("seal",), {}, "name the RUNs, or say --all"),
        (("rebuild", "nope.jsonl"), {}, "the log nope.jsonl cannot be read"),
        (("log",), {}, "say which RUN, or --schema"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    words: tuple[str, ...], environment: dict[str, str], why: str
) -> None:
    said = run(*words, **environment)
    assert said.exit_code in {1, 2}
    assert why in said.stderr.splitlines()[-1]


def test_the_key_may_be_in_a_file() -> None:
    Path("keys").write_text(f"# of this year\n{KEY}\n")
    assert run("seal", "demo", "--audit-key-file", "keys").exit_code == 0
    assert run("verify", WAYSTATION_AUDIT_KEY_FILE="keys").exit_code == 0
    assert "'k1', which is missing" in run("verify").stdout


def test_a_lost_store_is_rebuilt_from_its_log_and_the_run_is_approved() -> None:
    Path(".waystation/runs.db").unlink()
    said = run("rebuild", ".waystation/runs.jsonl", "--store", "sqlite:///new.db")
    assert (said.exit_code, said.stdout) == (0, "1 run, 15 events: in sqlite:///new.db.\n")
    done = run("approve", "demo", "--store", "sqlite:///new.db")
    assert "Answer: Order 24680 has been refunded" in done.stdout


def test_what_is_not_whole_is_left_out_and_named() -> None:
    log = Path(".waystation/runs.jsonl").read_bytes()
    Path("cut.jsonl").write_bytes(log[: len(log) - 200])
    said = run("rebuild", "cut.jsonl", "--store", "sqlite:///new.db")
    assert said.exit_code == 1
    assert said.stderr.splitlines() == [
        "Damaged: cut.jsonl:15 (run demo, seq 15): it is not whole",
        "Left out: run demo: a line of it is damaged (cut.jsonl:15)",
    ]
    told = json.loads(run("rebuild", "cut.jsonl", "--json", "--store", "sqlite:///new.db").stdout)
    assert told["runs"][0]["fault"]
    assert run("list", "--store", "sqlite:///new.db").stdout == "No runs.\n"


def test_a_list_shows_no_name_that_deceives() -> None:
    with closing(apsw.Connection(".waystation/runs.db")) as database:
        text = database.execute("SELECT CAST(checkpoint AS TEXT) FROM runs").get
        named = json.dumps({**json.loads(text), "id": "\x1b[2J\u202edemo"}).encode()
        database.execute("UPDATE runs SET checkpoint = ?", (named,))
    shown = run("list").stdout
    assert "\\u001b[2J\\u202edemo" in shown
    assert shown.isascii()


def test_a_log_that_lacks_its_end_is_found_by_anchors_before_anything_is_done_again() -> None:
    run("approve", "demo")
    Path("anchors.jsonl").write_text(run("anchor").stdout)
    lines = Path(".waystation/runs.jsonl").read_bytes().splitlines(keepends=True)
    Path("cut.jsonl").write_bytes(b"".join(lines[:17]))
    words = ("rebuild", "cut.jsonl", "--anchors", "anchors.jsonl", "--store", "sqlite:///new.db")
    said = run(*words)
    assert said.exit_code == 1
    found = "Left out: run demo: its log ends at seq 17; it was anchored at seq 21\n"
    assert said.stderr == found
    Path("cut.jsonl").write_bytes(b"")
    assert "run demo is in no log; it was anchored at seq 21" in run(*words).stderr
    Path("cut.jsonl").write_bytes(b"".join(lines[:17]))
    plain = run("rebuild", "cut.jsonl", "--store", "sqlite:///new.db")
    assert plain.stdout.splitlines()[1].startswith("1 run not waiting for a person")
    assert run(*words[:2], "--anchors", "nope").stderr.startswith("waystation: the anchors nope")


def test_lines_that_tell_of_refusals_are_part_of_no_run() -> None:
    Path("approvers.toml").write_text("[approvers]\nann = []\n")
    for verb in ("approve", "deny"):
        said = run(verb, "demo", "--by", "bob", "--approvers", "approvers.toml")
        assert said.exit_code == 1
    log = ".waystation/runs.jsonl"
    refusals = [one for one in Path(log).read_text().splitlines() if '"refused"' in one]
    assert len(refusals) == 2
    said = run("rebuild", log, "--store", "sqlite:///new.db")
    assert (said.exit_code, said.stderr) == (0, "")
    assert "1 run" in said.stdout
    for other in ("rerun", "stats", "replay"):
        assert run(other, log).exit_code == 0


def test_a_file_without_an_anchor_guards_nothing_and_is_refused() -> None:
    Path("none.jsonl").touch()
    for words in (("verify",), ("rebuild", ".waystation/runs.jsonl")):
        said = run(*words, "--anchors", "none.jsonl")
        assert (said.exit_code, said.stdout) == (1, "")
        assert said.stderr == "waystation: there is no anchor in none.jsonl\n"


def test_a_key_with_another_secret_is_thought_of() -> None:
    run("seal", "demo", WAYSTATION_AUDIT_KEY=KEY)
    said = run("verify", WAYSTATION_AUDIT_KEY=f"{KEY}-other")
    assert said.exit_code == 1
    assert "or the key k1 has another secret" in said.stdout


def test_a_gap_is_named_as_what_it_is_where_there_are_anchors_too() -> None:
    Path("anchors.jsonl").write_text(run("anchor").stdout)
    lines = Path(".waystation/runs.jsonl").read_bytes().splitlines(keepends=True)
    Path("gap.jsonl").write_bytes(b"".join([*lines[:4], *lines[5:]]))
    said = run("rebuild", "gap.jsonl", "--anchors", "anchors.jsonl", "--store", "sqlite:///new.db")
    assert said.exit_code == 1
    assert "at seq 5: seq 5 is missing" in said.stderr
    assert "anchored" not in said.stderr

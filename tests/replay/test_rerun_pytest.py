"""A folder of logs is a folder of tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay.rerun_shop import write_log

pytest_plugins = ["pytester"]

APP = "tests.replay.rerun_shop"
PLAIN = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:asyncio")


@pytest.fixture
def logs(pytester: pytest.Pytester) -> Path:
    """A folder with two logs, of three runs."""
    folder = pytester.path / "replays"
    write_log(folder / "one.jsonl", "r1")
    write_log(folder / "one.jsonl", "r2")
    write_log(folder / "deep" / "other.jsonl", "r3")
    (folder / "README.md").write_text("These are runs of ours.")
    return folder


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*PLAIN, *words)


@pytest.mark.usefixtures("logs")
def test_each_run_is_a_test_named_after_file_and_run(pytester: pytest.Pytester) -> None:
    options = ("--waystation-replays=replays", f"--waystation-app={APP}:WORKFLOWS")
    done = run(pytester, *options, "-v")
    done.assert_outcomes(passed=3)
    for name in ("one.jsonl::r1", "one.jsonl::r2", "deep/other.jsonl::r3"):
        done.stdout.fnmatch_lines([f"replays/{name} PASSED*"])
    run(pytester, *options, "-k", "r2").assert_outcomes(passed=1, deselected=2)
    run(pytester, *options, "replays/one.jsonl::r2").assert_outcomes(passed=1)


@pytest.mark.usefixtures("logs")
def test_a_divergence_is_a_failure_in_words_without_a_traceback(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYSTATION_APP", f"{APP}:OTHER_PROMPT")
    done = run(pytester, "--waystation-replays=replays")
    done.assert_outcomes(failed=3)
    done.stdout.fnmatch_lines(
        ["run r1: seq 1: the run was begun with other instructions; today's are others"]
    )
    done.stdout.fnmatch_lines(["-Be brief.", "+Be polite."])
    done.stdout.no_fnmatch_line("*Traceback*")
    done.stdout.no_fnmatch_line("*.py:*")


def test_neither_a_secret_of_today_s_code_nor_an_odd_id_reaches_the_terminal(
    pytester: pytest.Pytester, logs: Path
) -> None:
    one = (logs / "one.jsonl").read_text().splitlines()[0]
    (logs / "odd.jsonl").write_text(one.replace('"run_id":"r1"', '"run_id":"r1\\u001b[2J"') + "\n")
    options = (f"--waystation-replays={logs}", f"--waystation-app={APP}:WITH_TOKEN", "-v")
    done = run(pytester, *options)
    done.assert_outcomes(failed=4)
    done.stdout.fnmatch_lines(["+Use [*][*][*]"])
    assert "sk-" not in str(done.stdout)
    assert "\x1b" not in str(done.stdout)


def test_other_tests_run_beside_the_recorded_runs(pytester: pytest.Pytester, logs: Path) -> None:
    pytester.makepyfile("def test_mine(): assert True")
    done = run(pytester, f"--waystation-replays={logs}", f"--waystation-app={APP}:UNASKED")
    done.assert_outcomes(passed=1, failed=3)
    run(pytester).assert_outcomes(passed=1)  # without the option the logs are none


@pytest.mark.usefixtures("logs")
def test_the_fixture_gives_the_runs_to_tests_of_one_s_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        from {APP} import SHOP, UNASKED

        def test_mine(replays):
            assert [one.run_id for one in replays] == ["r3", "r1", "r2"] or len(replays) == 3
            for one in replays:
                assert one.journal[0].event.kind == "run_started"
                assert one.rerun(SHOP) is None
                assert one.rerun(UNASKED[0]).seq == 7
        """
    )
    done = run(pytester, "--waystation-replays=replays", "-k", "test_mine")
    done.assert_outcomes(passed=1, deselected=3)
    done = run(pytester)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*say where the recorded runs are: --waystation-replays=DIR*"])


def test_a_damaged_log_fails_where_it_is_damaged(pytester: pytest.Pytester, logs: Path) -> None:
    file = logs / "one.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:9], lines[9][:40] + b"\n", *lines[10:]]))
    done = run(pytester, "--waystation-replays=replays", f"--waystation-app={APP}:WORKFLOWS")
    done.assert_outcomes(passed=2, failed=2)
    done.stdout.fnmatch_lines(["run r2: *seq 3*", "run damaged lines: *one.jsonl:10*"])
    done.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.usefixtures("logs")
def test_what_cannot_be_found_is_one_line(pytester: pytest.Pytester) -> None:
    done = run(pytester, "--waystation-replays=nowhere")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: --waystation-replays: there is no folder */nowhere"])
    done = run(pytester, "--waystation-replays=replays", "--waystation-app=no_such:APP")
    done.assert_outcomes(failed=3)
    done.stdout.fnmatch_lines(["run r1: the app 'no_such:APP' cannot be loaded: *"])
    done.stdout.no_fnmatch_line("*Traceback*")
    done = run(pytester, "--waystation-replays=replays")
    done.stdout.fnmatch_lines(["run r1: there is no workflow 'shop' in workflows:ALL; *"])


def test_a_pytest_that_reruns_nothing_loads_nothing_heavy() -> None:
    script = (
        "import sys, pytest\n"
        "code = pytest.main(['-q', '-p', 'no:cacheprovider', '-p', 'no:asyncio',"
        " '-p', 'no:randomly', '-p', 'no:hypothesispytest'])\n"
        "assert 'engine.pytest_plugin' in sys.modules\n"
        "heavy = {'pydantic', 'click', 'structlog', 'openai', 'apsw', 'transitions', 'orjson'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def test_a_folder_in_which_no_run_is_recorded_fails(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("replays") / "other.jsonl").write_text("hello\n")
    pytester.makepyfile("def test_of_another_kind() -> None: pass")
    done = run(pytester, "--waystation-replays=replays")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*no run is recorded in*replays*"])

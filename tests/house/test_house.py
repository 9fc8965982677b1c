"""The house keeps its shape: floors, sizes, the front door, diagrams, and the README."""

import ast
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

import engine
from engine.diagrams import lifecycle
from tests.house.floors import floors

ROOT = Path(__file__).parents[2]
SOURCES = sorted(chain((ROOT / "engine").rglob("*.py"), (ROOT / "workflows").rglob("*.py")))


def test_the_floors_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, node.name


def test_nothing_inside_uses_the_front_door() -> None:
    for path in (ROOT / "engine").rglob("*.py"):
        assert not re.search(
            r"^\s*(import engine$|from engine import)", path.read_text(), re.MULTILINE
        ), path


def test_the_front_door_names_what_it_has() -> None:
    assert sorted(engine.__all__) == engine.__all__
    assert all(hasattr(engine, name) for name in engine.__all__)


def test_the_diagrams_are_fresh() -> None:
    for name, drawn in (("lifecycle", lifecycle()), ("floors", floors())):
        assert (ROOT / "diagrams" / f"{name}.mmd").read_text() == drawn, f"{name}.mmd is stale"


def test_the_path_names_what_there_is() -> None:
    drawn = (ROOT / "diagrams" / "path.mmd").read_text()
    text = "\n".join(path.read_text() for path in SOURCES)
    words = set(re.findall(r"\w+", drawn))
    performed = {"call_model", "call_tool", "reconcile"}
    steps = {"accept", "decide", "evolve", "commit", "append", "tell", *performed}
    for name in steps:
        assert name in words, f"path.mmd leaves out {name}"
        assert re.search(rf"def {name}\b", text), f"there is no {name} any more"


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_shows_the_lifecycle() -> None:
    assert lifecycle() in README


def test_the_readme_s_example_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = re.findall(
        r"```python\n(.*?)```\n\nIt prints:\n\n```\n(.*?)```", README, re.DOTALL
    )[0]
    assert code.count("\n") <= 30
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102 # our own page
    assert capsys.readouterr().out == printed


def test_the_readme_s_commands_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "pip install -e '.[dev]' && pytest" in README
    assert 'pip install -e . && waystation start refunds "Order 24680' in README
    assert project["scripts"] == {"waystation": "engine.cli:main"}

"""Files of cases, right ones and odd ones."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from engine import BadInputError, read_cases
from tests.cli.test_command import waystation
from tests.house.test_house import README

GOOD = """\
- name: one
  workflow: shop
  message: Hello
  approvals:
    - {tool: pay, verdict: approve, arguments: {amount: 20}}
  expect:
    calls: [look, {tool: pay, where: {amount: {le: 20}}}]
    order: exact
    max_cost: 0.05
    answer: {contains: ok, regex: '^o', json_schema: {type: string}}
- name: two
  workflow: shop
  message: Hello
  repeat: 3
"""
LINES = (
    '{"name": "one", "workflow": "shop", "message": "Hello", "expect": {"calls": ["look"]}}\n'
    "\n"
    '{"name": "two \\u2028", "workflow": "shop", "message": "Hello"}\r\n'
)


def test_cases_come_from_yaml_and_from_json_lines() -> None:
    Path("cases.yaml").write_text(GOOD)
    one, two = read_cases("cases.yaml")
    assert (one.name, two.repeat) == ("one", 3)
    assert [call.tool for call in one.expect.calls or ()] == ["look", "pay"]
    assert str(one.expect.max_cost) == "0.05"
    Path("cases.jsonl").write_bytes(b"\xef\xbb\xbf" + LINES.encode())
    assert [case.name for case in read_cases(Path("cases.jsonl"))] == ["one", "two \u2028"]
    Path("cases.json").write_text('[{"name": "a", "workflow": "b", "message": "c"}]')
    assert [case.workflow for case in read_cases("cases.json")] == ["b"]


def test_yaml_parts_may_be_shared() -> None:
    Path("cases.yml").write_text(
        "- &one {name: one, workflow: shop, message: Hello}\n- {<<: *one, name: two}\n"
    )
    assert [case.message for case in read_cases("cases.yml")] == ["Hello", "Hello"]


def test_the_ready_cases_for_refunds_are_cases() -> None:
    with files("workflows.refunds").joinpath("cases.yaml").open() as file:
        assert file.read(1)
    assert len(read_cases(str(files("workflows.refunds").joinpath("cases.yaml")))) == 6


HEAD = "- name: one\n  workflow: shop\n  message: Hello\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there are no cases in it"),
        ("[]", "there are no cases in it"),
        ("cases: []", "it is to be a list of cases"),
        ("- 3", "case 1: Input should be a valid dictionary or instance of Case"),
        ("- {}", "case 1: name: Field required (and 2 more)"),
        (HEAD + "  expects: {}", "case 'one': expects: there is no such key; there are: name,"),
        (
            HEAD + "  expect: {max_turn: 3}",
            "case 'one': expect.max_turn: there is no such key; there are: state, calls,",
        ),
        (
            HEAD + "  expect: {calls: [look, {tool: pay, argument: {}}]}",
            "case 'one': expect.calls[1].argument: there is no such key; there are: tool,",
        ),
        (
            HEAD + "  expect: {answer: {contain: x}}",
            "case 'one': expect.answer.contain: there is no such key; there are: contains,",
        ),
        (
            HEAD + "  approvals: [{tool: pay, verdict: deny, why: no}]",
            "case 'one': approvals[0].why: there is no such key; there are: tool, verdict,",
        ),
        (HEAD + "  expect: {state: done}", "case 'one': expect.state: Input should be 'Awaiting"),
        (
            HEAD + "  expect: {calls: [{tool: pay, where: {amount: {less: 3}}}]}",
            "expect.calls[0].where: amount: 'less' is no test; there are: eq, ne,",
        ),
        (HEAD + "  expect: {calls: [{tool: pay, where: {}}]}", "where: conditions are such as"),
        (HEAD + "  expect: {calls: [{tool: pay, arguments: {a: .nan}}]}", "calls[0].arguments"),
        (HEAD + "  expect: {calls: [{tool: pay, exactly: {a: 2026-11-21}}]}", "exactly.a: "),
        (HEAD + "  expect: {answer: {regex: '('}}", "expect.answer.regex: '(' is no regular"),
        (
            HEAD + "  expect: {answer: {json_schema: {type: strong}}}",
            "expect.answer.json_schema: no JSON Schema: 'strong' is not valid",
        ),
        (HEAD + "  expect: {answer: {judge: 'os:system'}}", "judge: a judge is a function, given"),
        (HEAD + "  expect: {order: exact}", "case 'one': expect: order says nothing without"),
        (HEAD + "  expect: {max_cost: .inf}", "expect.max_cost: "),
        (HEAD + "  repeat: yes", "repeat: Input should be a valid integer"),
        (HEAD + "  repeat: 0", "repeat: Input should be greater than or equal to 1"),
        (HEAD + "  message: Bye", "it is no YAML: line 4: the key 'message' stands there twice"),
        (
            HEAD + "  expect: {answer: {contains: a}, answer: {contains: b}}",
            "line 4: the key 'answer' stands there twice",
        ),
        ("- name: [", "it is no YAML: "),
        ("- name: 2026-13-45", "it is no YAML: "),
        ("- !!python/object/apply:os.system [touch pwned]", "it is no YAML: "),
        ("- &a [*a]", "case 1: "),
        (HEAD + "  expect: {calls: [{tool: a, arguments: &b {c: *b}}]}", "case 'one': expect.ca"),
        ("[" * 2000, "nested too deeply"),
        ("- name: one\n--- \n- name: two", "it is no YAML: "),
    ],
)
def test_a_file_that_makes_no_sense_is_one_line_that_says_where(text: str, words: str) -> None:
    Path("cases.yaml").write_text(text)
    with pytest.raises(BadInputError) as caught:
        read_cases("cases.yaml")
    assert str(caught.value).startswith("cases.yaml: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n", "there are no cases in it"),
        ('{"name": "one"}', "case 'one': workflow: Field required"),
        ('\n{"name": "one"', "line 2: "),
        ("[]", "line 1: a JSON object is needed, not list"),
        ('{"name": "a", "name": "b"}', "line 1: the key 'name' stands there twice"),
        ('{"name": NaN}', "line 1: NaN is not JSON"),
        ("[" * 100_000, "line 1: nested too deeply"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(text: str, words: str) -> None:
    Path("cases.jsonl").write_text(text)
    with pytest.raises(BadInputError, match=r"^cases\.jsonl: .*") as caught:
        read_cases("cases.jsonl")
    assert words in str(caught.value)


def test_files_that_are_none_are_named() -> None:
    Path("cases.txt").write_text(GOOD)
    Path("cases.yml").write_bytes(b"\xff\xfe\x00")
    Path("folder.yaml").mkdir()
    for name, words in (
        ("cases.txt", "cases are in a file .yaml, .yml, .json, .jsonl, .ndjson"),
        ("cases.yml", "no text in UTF-8"),
        ("folder.yaml", "cannot be read: Is a directory"),
        ("missing.yaml", "cannot be read: No such file"),
    ):
        with pytest.raises(BadInputError, match=words):
            read_cases(name)


def test_the_readme_s_cases_hold(capsys: pytest.CaptureFixture[str]) -> None:
    section = README.partition("## Evaluations")[2]
    (case,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    Path("cases.yaml").write_text(case)
    done = waystation("eval", "cases.yaml")
    assert (done.returncode, "1 of 1 runs passed" in done.stdout) == (0, True), done.stdout
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102 # our own page
    assert capsys.readouterr().out == "1.0 ()\n"

"""The refunds workflow on a real shop: its tools, its policies, its offline model."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import Engine, State, ToolContext, Workflow
from engine.core.schema import ArgumentsError
from workflows import ALL
from workflows.refunds import refunds
from workflows.refunds.calculator import evaluate
from workflows.refunds.policy_folder import read_policy_file

KEY = "k" * 32
MAY_11 = date(2025, 5, 11)


@pytest.fixture
def workflow() -> Workflow:
    return refunds(shop=Path("shop.db"), today=lambda: MAY_11)


def call(workflow: Workflow, name: str, /, **arguments: object) -> Any:  # whatever the tool gives
    """What a tool gives for arguments as a model would write them."""
    tool = workflow.tool(name)
    assert tool is not None
    bound = tool.bind(tool.validate(json.dumps(arguments)))
    context = ToolContext("r1", "call_1_1", 1, KEY)
    return tool.function(**bound, **({tool.context: context} if tool.context else {}))


def rows(query: str) -> list[tuple[Any, ...]]:
    database = apsw.Connection("shop.db")
    try:
        return list(database.execute(query))
    finally:
        database.close()


def test_only_what_changes_the_world_needs_approval(workflow: Workflow) -> None:
    gated = {tool.name for tool in workflow.tools if tool.approval is None and not tool.read_only}
    assert gated == {"issue_refund", "send_email"}
    assert {tool.name for tool in workflow.tools} - gated == {
        "get_order_status",
        "read_policy",
        "get_current_date",
        "check_return_eligibility",
        "calculate",
    }
    assert [one.name for one in ALL] == ["refunds"]


def test_the_shop_is_seeded_with_what_the_documentation_names(workflow: Workflow) -> None:
    order = call(workflow, "get_order_status", order_id="12345")
    assert (order["total"], order["items"], str(order["delivered"])) == (89.99, 3, "2025-04-10")
    order = call(workflow, "get_order_status", order_id="67890")
    assert (order["total"], order["items"], str(order["delivered"])) == (149.5, 1, "2025-05-01")
    assert str(call(workflow, "get_order_status", order_id="24680")["delivered"]) == "2025-05-06"
    assert call(workflow, "get_current_date") == "2025-05-11"


@pytest.mark.parametrize(
    ("order_id", "eligible", "reason"),
    [
        ("12345", False, "expired on 2025-05-10"),
        ("67890", True, "eligible until 2025-05-31"),
        ("24680", True, "eligible until 2025-06-05"),
        ("11223", True, "eligible until 2025-05-12"),
        ("44556", False, "expired on 2025-04-26"),
        ("77889", False, "not delivered yet"),
    ],
)
def test_eligibility_counts_thirty_days_from_delivery(
    workflow: Workflow, order_id: str, eligible: bool, reason: str
) -> None:
    checked = call(workflow, "check_return_eligibility", order_id=order_id)
    assert (checked["eligible"], checked["reason"]) == (eligible, reason)


def test_the_last_day_is_a_day_of_grace() -> None:
    last = refunds(shop=Path("shop.db"), today=lambda: date(2025, 5, 10))
    assert call(last, "check_return_eligibility", order_id="12345")["eligible"]


def test_a_refund_is_checked_again_and_made_once(workflow: Workflow) -> None:
    for order_id, amount, said in [("99999", 1, "no order 99999"), ("67890", 149.51, "not within")]:
        with pytest.raises(Exception, match=said):
            call(workflow, "issue_refund", order_id=order_id, amount=amount, reason="x")
    assert (
        call(workflow, "issue_refund", order_id="67890", amount=149.5, reason="x")["refunded"]
        == "149.50"
    )
    with pytest.raises(Exception, match="refunded already"):
        call(workflow, "issue_refund", order_id="67890", amount=1, reason="x")
    assert rows("SELECT order_id, amount_cents, key FROM refunds") == [("67890", 14950, KEY)]
    refund = workflow.tool("issue_refund")
    assert refund is not None
    assert refund.reconcile is not None
    found = {"order_id": "67890", "refunded": "149.50", "to": "Ben Okafor"}
    assert refund.reconcile(KEY, {}) == found
    assert refund.reconcile("another", {}) is None
    assert (
        call(workflow, "check_return_eligibility", order_id="67890")["reason"] == "refunded already"
    )


@pytest.mark.parametrize("amount", [0, -1, 1.001, "NaN", 1e9])
def test_an_amount_that_is_no_money_is_refused_before_anything(
    workflow: Workflow, amount: object
) -> None:
    tool = workflow.tool("issue_refund")
    assert tool is not None
    with pytest.raises(ArgumentsError, match="amount"):
        tool.validate(json.dumps({"order_id": "67890", "amount": amount, "reason": "x"}))


def test_an_e_mail_goes_to_the_order_s_own_address(workflow: Workflow) -> None:
    sent = call(workflow, "send_email", order_id="67890", subject="Hi", body="There")
    assert sent == {"sent_to": "ben@example.com"}
    assert rows("SELECT address, subject, body FROM outbox") == [("ben@example.com", "Hi", "There")]


def test_policies_are_read_by_name(workflow: Workflow) -> None:
    assert "within 30 days" in call(workflow, "read_policy", name="returns")
    assert call(workflow, "read_policy", name="returns.md") == call(
        workflow, "read_policy", name="returns"
    )


@pytest.mark.parametrize(
    "name",
    [
        "../tools.py",
        "/etc/passwd",
        "..",
        "",
        ".",
        "/proc/self/environ",
        "a\0b",
        "link",
        "folder",
        "secret.txt",
        "sub/inner",
    ],
)
def test_nothing_beyond_the_folder_is_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "policies"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "inner.md").write_text("secret")
    (folder / "folder.md").mkdir()
    (folder / "secret.txt").write_text("secret")
    (folder / "returns.md").write_text("public")
    (tmp_path / "outside.md").write_text("secret")
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    with pytest.raises(LookupError, match="there are: returns$"):
        read_policy_file(folder, name)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 * (19.99 + 5)", "49.98"),
        ("0.1 + 0.2", "0.3"),
        ("-3 ** 2", "-9"),
        ("10 % 4", "2"),
        ("1e3 / 8", "125"),
        (" 149.50 - 10 ", "139.50"),
    ],
)
def test_the_calculator_is_exact(expression: str, value: str) -> None:
    assert evaluate(expression) == evaluate(value)
    assert str(evaluate(expression).normalize()) == str(evaluate(value).normalize())


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "10**10**8",
        "2**65",
        "(1).__class__",
        "__import__('os')",
        "a",
        "'a' * 9",
        "True + 1",
        "1j",
        "[1]",
        "1 if 1 else 2",
        "1 < 2",
        "1; 2",
        "",
        "1 / 0",
        "0 ** 0",
        "9" * 5000,
        "9" * 31,
        "0x10",
        "(" * 100_000,
        "(" * 30 + "1" + ")" * 30,
        "1\0",
        "10 ** 60 * 10 ** 60",
    ],
)
def test_the_calculator_refuses_all_else(expression: str) -> None:
    with pytest.raises(ValueError, match="."):
        evaluate(expression)


async def converse(
    message: str, verdict: Callable[[Engine, str], Any] | None = None
) -> tuple[Any, list[str]]:
    workflow = refunds(shop=Path("shop.db"), today=lambda: datetime(2025, 5, 11, tzinfo=UTC).date())
    async with Engine(store="memory://", workflows=[workflow]) as engine:
        run = await engine.start("refunds", message)
        while verdict and run.state is State.AwaitingApproval:
            run = await verdict(engine, run.id)
        return run, [c.function.name for m in run.messages for c in m.tool_calls]


STEPS = ["get_order_status", "read_policy", "check_return_eligibility", "issue_refund"]


@pytest.mark.parametrize(
    "message",
    [
        "Order 24680 arrived broken, I want my money back",
        "plz give back what i paid (24680)!!",
        "#24680: no longer wanted.",
        "It cost 59.90 and I do not like it, order 24680",
    ],
)
async def test_the_offline_model_takes_any_wording_with_an_order_number(message: str) -> None:
    run, steps = await converse(message)
    assert run.state is State.AwaitingApproval
    assert steps == STEPS
    arguments = run.approvals[0].arguments
    assert (arguments["order_id"], arguments["amount"]) == ("24680", 59.9)


async def test_the_offline_model_tells_what_came_of_it() -> None:
    run, steps = await converse("Refund 67890 and e-mail me", lambda e, r: e.approve(r, by="ann"))
    assert steps == [*STEPS, "send_email"]
    assert "149.50" in run.answer
    assert "ben@example.com" in run.answer
    assert len(rows("SELECT * FROM refunds")) == len(rows("SELECT * FROM outbox")) == 1


async def test_the_offline_model_takes_no_for_an_answer() -> None:
    run, _ = await converse("Refund 67890", lambda e, r: e.deny(r, by="ann", reason="fraud check"))
    assert "was not made" in run.answer
    assert "fraud check" in run.answer
    assert rows("SELECT * FROM refunds") == []


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("I want my money back", "number"),
        ("Refund order 99999", "no order 99999"),
        ("Refund order 12345", "expired on 2025-05-10"),
        ("Refund order 77889", "not delivered yet"),
        ("Where is order 77889?", "on its way"),
    ],
)
async def test_the_offline_model_asks_or_refuses_where_it_must(message: str, said: str) -> None:
    run, steps = await converse(message)
    assert run.state is State.Done
    assert said in run.answer
    assert "issue_refund" not in steps


async def test_the_offline_model_reads_a_result_that_a_person_has_changed(
    workflow: Workflow,
) -> None:
    async with Engine(store="memory://", workflows=[workflow]) as engine:
        await engine.start("refunds", "Order 24680 arrived broken, I want my money back", "r1")
        (asked,) = (await engine.run("r1")).approvals
        half = {**asked.arguments, "amount": 20}
        run = await engine.approve("r1", by="ann", arguments=half)
    assert run.answer == "Order 24680 has been refunded: 20.00 go back to you."

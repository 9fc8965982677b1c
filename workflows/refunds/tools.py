"""What the refund agent may do."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from engine import Tool, ToolContext, tool
from workflows.refunds.calculator import evaluate
from workflows.refunds.policy_folder import read_policy_file
from workflows.refunds.shop import Order, Shop, euros

OrderId = Annotated[
    str, Field(pattern=r"^[0-9]{4,12}$", description="The order number, digits only")
]


def _whole_cents(amount: float) -> float:
    if Decimal(str(amount)) != round(Decimal(str(amount)), 2):
        raise ValueError("an amount has at most two decimals")
    return amount


Amount = Annotated[
    float,
    Field(gt=0, le=1_000_000, description="The amount to give back, with at most two decimals"),
    AfterValidator(_whole_cents),
]


def build_tools(shop: Shop, policies: Path, today: Callable[[], date]) -> tuple[Tool, ...]:
    """The tools, bound to a shop, a folder of policies and a calendar."""
    return (*_order_tools(shop, today), *_desk_tools(policies, today), *_changing_tools(shop))


def _order_tools(shop: Shop, today: Callable[[], date]) -> tuple[Tool, ...]:
    @tool(read_only=True)
    def get_order_status(order_id: OrderId) -> dict[str, object]:
        """Look an order up: customer, total, items, day of delivery, whether it was refunded."""
        order = shop.order(order_id)
        return {
            "order_id": order.order_id,
            "customer": order.customer,
            "total": order.total_cents / 100,
            "items": order.items,
            "status": "delivered" if order.delivered else "on its way",
            "delivered": order.delivered,
            "refunded": order.refunded,
        }

    @tool(read_only=True)
    def check_return_eligibility(order_id: OrderId) -> dict[str, object]:
        """Check whether an order may be returned today, and until or since which day."""
        order = shop.order(order_id)
        why_not = _why_not(order, today())
        return {
            "order_id": order_id,
            "today": today(),
            "eligible": why_not is None,
            "reason": why_not or f"eligible until {order.last_return_day}",
            "last_return_day": order.last_return_day,
        }

    return (get_order_status, check_return_eligibility)


def _why_not(order: Order, today: date) -> str | None:
    if order.refunded:
        return "refunded already"
    if order.last_return_day is None:
        return "not delivered yet"
    return f"expired on {order.last_return_day}" if today > order.last_return_day else None


def _desk_tools(policies: Path, today: Callable[[], date]) -> tuple[Tool, ...]:
    @tool(read_only=True)
    def read_policy(
        name: Annotated[str, Field(description="Which policy: returns, shipping or privacy")],
    ) -> str:
        """Read one of the shop's policies."""
        return read_policy_file(policies, name)

    @tool(read_only=True)
    def get_current_date() -> str:
        """Today's date, as YYYY-MM-DD."""
        return today().isoformat()

    @tool(read_only=True)
    def calculate(
        expression: Annotated[str, Field(description="Plain arithmetic, such as 2 * (19.99 + 5)")],
    ) -> str:
        """Compute an arithmetic expression exactly."""
        return str(evaluate(expression))

    return (read_policy, get_current_date, calculate)


def _changing_tools(shop: Shop) -> tuple[Tool, ...]:
    def look_up(key: str, _: Mapping[str, object]) -> dict[str, object] | None:
        refunded = shop.refunded_under(key)
        return refunded and _receipt(*refunded)

    @tool(reconcile=look_up)
    def issue_refund(
        order_id: OrderId, amount: Amount, reason: str, context: ToolContext
    ) -> dict[str, object]:
        """Give money back for an order. This cannot be undone.

        Args:
            reason: Why, in one sentence, for the shop's books
        """
        cents = int(Decimal(str(amount)) * 100)
        order = shop.refund(order_id, cents, reason, context.idempotency_key)
        return _receipt(order, cents)

    @tool
    def send_email(order_id: OrderId, subject: str, body: str) -> dict[str, object]:
        """Write an e-mail to the customer of an order.

        Args:
            subject: The subject line
            body: The text
        """
        return {"sent_to": shop.send(order_id, subject, body)}

    return (issue_refund, send_email)


def _receipt(order: Order, cents: int) -> dict[str, object]:
    return {"order_id": order.order_id, "refunded": euros(cents), "to": order.customer}

"""Order support: look an order up, read the policy, check eligibility, refund with approval.

The shop is a SQLite database, by default `.waystation/shop.db` in the working
folder (WAYSTATION_SHOP names another), created and seeded on first use.
"""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from engine import Limits, Workflow
from workflows.refunds.offline import OfflineModel
from workflows.refunds.shop import Shop
from workflows.refunds.tools import build_tools

INSTRUCTIONS = """\
You help customers of a web shop with their orders and with refunds.
Look the order up, read the returns policy, and check that the order may be returned
before you ask for a refund. Use the exact amount from the order. A person approves
every refund and every e-mail; when one is refused, tell the customer so, and why.
If the order number is missing, ask for it. Never promise what the policy does not give.
"""


def _today() -> date:
    return datetime.now(UTC).date()


def refunds(
    *,
    shop: Path | None = None,
    policies: Path | None = None,
    today: Callable[[], date] = _today,
) -> Workflow:
    """The workflow `refunds`, on a shop database, a folder of policies, and a calendar."""
    database = shop or Path(os.environ.get("WAYSTATION_SHOP", ".waystation/shop.db"))
    folder = policies or Path(__file__).parent / "policies"
    return Workflow(
        name="refunds",
        instructions=INSTRUCTIONS,
        tools=build_tools(Shop(database, today), folder, today),
        limits=Limits(max_turns=12),
        model=OfflineModel(),
    )

"""A second workflow whose runs are kept: every policy, a question, and people who are told.

As with the market, what it declares must not change any more.
"""

from collections import deque

from engine import ApprovalPolicy, Escalation, Notice, Rule, Tool, Workflow, ask_person, tool
from tests.replay.market import INSTRUCTIONS, Market

HOUR = 3600.0
APPROVERS = {"ann": ["manager"], "bob": ["manager"], "eve": ["clerk"]}
PAIR = ApprovalPolicy(quorum=2, roles=["manager"], four_eyes=True, batch=True)
REMINDING = ApprovalPolicy(expires_in=HOUR, remind_every=HOUR / 4)
ESCALATING = ApprovalPolicy(
    expires_in=HOUR, on_expiry=Escalation(role="manager", expires_in=HOUR, on_expiry="abort")
)
DEAR = [Rule(tool="pay", when={"amount": {"le": 1}}, ask="never"), Rule(tool="pay")]


class Bell:
    """Somebody to tell, who cannot be reached where there are faults left."""

    def __init__(self, name: str, *faults: Exception) -> None:
        self.name, self.faults, self.heard = name, deque(faults), list[Notice]()

    async def notify(self, notice: Notice) -> None:
        if self.faults:
            raise self.faults.popleft()
        self.heard.append(notice)


def bazaar(market: Market, *bells: Bell) -> Workflow:
    """The workflow; its model and its tools do what the market's do."""
    return Workflow(
        name="bazaar",
        instructions=INSTRUCTIONS,
        tools=(*_paying(market), *_waiting(market), ask_person(choices=["red", "blue"])),
        model=market,
        notifiers=bells,
    )


def _paying(market: Market) -> tuple[Tool, ...]:
    @tool(approval=DEAR)
    def pay(order: str, amount: float = 5.0) -> str:
        """Pay for an order."""
        return f"{market.act(order)}: {amount}"

    @tool(approval=PAIR)
    def refund(order: str) -> str:
        """Give the money back."""
        return market.act(order)

    @tool(approval="audit")
    def tip(order: str) -> str:
        """Tip who brought an order."""
        return market.act(order)

    return (pay, refund, tip)


def _waiting(market: Market) -> tuple[Tool, ...]:
    @tool(approval=REMINDING)
    def lend(order: str) -> str:
        """Lend something; nobody's word is a no."""
        return market.act(order)

    @tool(approval=ApprovalPolicy(expires_in=HOUR, on_expiry="abort"))
    def sell(order: str) -> str:
        """Sell something; nobody's word ends it all."""
        return market.act(order)

    @tool(approval=ESCALATING)
    def hire(order: str) -> str:
        """Hire somebody; nobody's word calls for a manager."""
        return market.act(order)

    return (lend, sell, hire)

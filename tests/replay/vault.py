"""A workflow with a secret, whose runs are kept as golden journals; it must not change any more."""

from pydantic import SecretStr

from engine import Tool, Workflow, tool
from tests.replay.market import Market


def vault(market: Market) -> Workflow:
    """The workflow; what its model says is for the market to say."""
    return Workflow(
        name="vault",
        instructions="Help people at the vault.",
        tools=(_unlock(),),
        model=market,
        redact=("colour",),
    )


def _unlock() -> Tool:
    @tool
    def unlock(box: str, code: SecretStr) -> str:
        """Unlock a box."""
        return f"{box} opens to a code of {len(code.get_secret_value())}"

    return unlock

"""An honest, rule-based stand-in for a model, so that the workflow runs without any key.

It has no state: it reads the conversation and the tool results each time, as a model
does, and says the next thing.
"""

import json
import re
from collections.abc import Mapping

from pydantic import JsonValue

from engine import Message, ModelReply, ModelRequest

_ORDER = re.compile(r"(?<![\d.,])\d{4,12}(?![\d]|[.,]\d)")
_MAIL = re.compile(r"\be-?mail|\bwrite to me\b|\bin writing\b", re.IGNORECASE)
_STATUS = re.compile(r"\b(where is|status|track|when (will|does)|arrive yet)\b", re.IGNORECASE)
_REFUND = re.compile(
    r"refund|money back|return|broken|damaged|defect|wrong|reimburse|cancel", re.IGNORECASE
)

_Result = Mapping[str, JsonValue] | str


class OfflineModel:
    """The stand-in; see the module."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The next message that the rules give."""
        said = " ".join(m.content or "" for m in request.messages if m.role == "user")
        message = _next(said, _results(request.messages))
        return ModelReply(message, "tool_calls" if message.tool_calls else "stop", model="offline")


def _results(messages: tuple[Message, ...]) -> dict[str, _Result]:
    """The newest result of each tool, by the tool's name."""
    names = {call.id: call.function.name for m in messages for call in m.tool_calls}
    return {
        names[m.tool_call_id]: _read(m.content or "")
        for m in messages
        if m.role == "tool" and m.tool_call_id in names
    }


def _read(content: str) -> _Result:
    if content.startswith("A person changed"):  # how, in a line, before what it gave
        content = content.partition("\n")[2]
    try:
        value = json.loads(content)
    except ValueError:
        return content
    return value if isinstance(value, dict) else content


def _next(said: str, results: Mapping[str, _Result]) -> Message:
    number = _ORDER.search(said)
    if number is None:
        return _say("Which order is it about? Please give me its number.")
    order_id = number.group()
    order = results.get("get_order_status")
    if order is None:
        return _call("get_order_status", order_id=order_id)
    if isinstance(order, str):
        return _say(f"I could not look up order {order_id}: {order}. Please check its number.")
    if _STATUS.search(said) and not _REFUND.search(said):
        return _say(_status(order))
    return _refund(said, order_id, order, results)


def _refund(
    said: str, order_id: str, order: Mapping[str, JsonValue], results: Mapping[str, _Result]
) -> Message:
    if "read_policy" not in results:
        return _call("read_policy", name="returns")
    eligibility = results.get("check_return_eligibility")
    if eligibility is None:
        return _call("check_return_eligibility", order_id=order_id)
    if isinstance(eligibility, str) or not eligibility["eligible"]:
        why = eligibility if isinstance(eligibility, str) else eligibility["reason"]
        return _say(f"I am sorry, order {order_id} cannot be refunded under our policy: {why}.")
    refund = results.get("issue_refund")
    if refund is None:
        reason = f"Return within the policy ({eligibility['reason']})"
        return _call("issue_refund", order_id=order_id, amount=order["total"], reason=reason)
    if isinstance(refund, str):
        return _say(f"I am sorry, the refund for order {order_id} was not made. {refund}")
    done = f"Order {order_id} has been refunded: {refund['refunded']} go back to you."
    return _confirm(said, order_id, done, results)


def _confirm(said: str, order_id: str, done: str, results: Mapping[str, _Result]) -> Message:
    if not _MAIL.search(said):
        return _say(done)
    mail = results.get("send_email")
    if mail is None:
        return _call("send_email", order_id=order_id, subject=f"Your order {order_id}", body=done)
    if isinstance(mail, str):
        return _say(f"{done} The e-mail was not sent. {mail}")
    return _say(f"{done} A confirmation is on its way to {mail['sent_to']}.")


def _status(order: Mapping[str, JsonValue]) -> str:
    when = f", delivered on {order['delivered']}" if order["delivered"] else ""
    refunded = ", and has been refunded" if order["refunded"] else ""
    return f"Order {order['order_id']} is {order['status']}{when}{refunded}."


def _say(text: str) -> Message:
    return Message(role="assistant", content=text)


def _call(tool: str, **arguments: JsonValue) -> Message:
    function = {"name": tool, "arguments": json.dumps(arguments)}
    call = {"id": "offline", "type": "function", "function": function}
    return Message.model_validate({"role": "assistant", "content": None, "tool_calls": [call]})

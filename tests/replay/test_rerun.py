"""What today's code would do otherwise than was recorded is named, and nothing is done."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from engine import (
    ApprovalPolicy,
    Approve,
    BadInputError,
    Divergence,
    Engine,
    Limits,
    Message,
    ModelReply,
    ModelRequest,
    PermanentModelError,
    RefusedError,
    ScriptedModel,
    Tool,
    TransientModelError,
    Workflow,
    ask_person,
    events,
    rerun,
    tool,
)
from engine.core.accept import accept
from engine.core.decide import decide
from engine.core.effects import CallTools, Record
from engine.core.evolve import fold
from engine.replaying.live import rerun_live
from tests.replay.rerun_shop import LOOK, OK, PAY, SHOP, UNASKED, approved, record, with_pay
from tests.runtime.test_engine import calls
from tests.spec import look, pay

Journal = Sequence[events.Recorded]


def diverges(journal: Journal, workflow: Workflow) -> Divergence:
    assert rerun(journal, workflow) is not None, "it does not diverge"
    found = rerun(iter(journal), workflow)
    assert found is not None
    assert journal[found.seq - 1].event.kind == found.kind
    return found


async def paid() -> Journal:
    """A look; a payment, which ann allows; an answer."""
    return await record(SHOP, calls(LOOK), calls(PAY), then=approved())


async def test_the_same_code_does_not_diverge() -> None:
    journal = await paid()
    assert rerun(journal, SHOP) is None
    for cut in range(1, len(journal)):
        assert rerun(journal[:cut], SHOP) is None


async def test_an_approval_that_is_demanded_no_longer_is_named() -> None:
    found = diverges(await paid(), with_pay(replace(pay, approval="never")))
    assert found.words == (
        "turn 2, seq 7: a person was asked about pay (call_2_1); "
        "today's code would run pay (call_2_1) unasked"
    )


async def test_an_approval_that_is_newly_demanded_is_named() -> None:
    unasked = with_pay(replace(pay, approval="never"))
    found = diverges(await record(unasked, calls(LOOK, PAY)), SHOP)
    assert found.words == (
        "turn 1, seq 4: pay (call_1_2) was run unasked; "
        "today's code would ask a person about pay (call_1_2)"
    )


@pytest.mark.parametrize(
    ("policy", "words", "in_diff"),
    [
        (ApprovalPolicy(quorum=2), "about pay (call_2_1) (2 people)", '+    "quorum": 2'),
        (ApprovalPolicy(roles=["manager"]), "(role manager)", '+        "manager"'),
        (ApprovalPolicy(four_eyes=True), "(not who started the run)", '+    "four_eyes": true'),
        (ApprovalPolicy(expires_in=60.0), "with different demand", '+    "expires_in": 60.0'),
        ("audit", "run pay (call_2_1) unasked, to be reviewed", None),
    ],
)
async def test_other_terms_of_an_approval_are_named(
    policy: Any, words: str, in_diff: str | None
) -> None:
    found = diverges(await paid(), with_pay(replace(pay, approval=policy)))
    assert (found.turn, found.seq, found.kind) == (2, 7, "approval_requested")
    assert words in found.got
    assert (found.diff is None) if in_diff is None else (in_diff in (found.diff or ""))


async def test_another_prompt_is_shown_line_by_line() -> None:
    found = diverges(await paid(), replace(SHOP, instructions="Help.\nBe polite."))
    assert found.words == "seq 1: the run was begun with other instructions; today's are others"
    assert (found.diff or "").splitlines()[-3:] == [" Help.", "-Be brief.", "+Be polite."]


@tool(name="pay")
def pay_in(order: str, amount: float = 5.0, currency: str = "EUR") -> str:
    """Pay for an order."""
    raise AssertionError(order, amount, currency)


@tool(name="pay")
def pay_small(order: str, cents: int) -> str:
    """Pay for an order."""
    raise AssertionError(order, cents)


async def test_another_schema_is_named_with_how_it_reads_what_was_asked_for() -> None:
    found = diverges(await paid(), with_pay(pay_in))
    assert (found.seq, found.kind) == (1, "run_started")
    assert found.expected == f"the tool pay had another schema ({pay.schema_digest})"
    assert found.got == f"it is {pay_in.schema_digest} today, and reads call_2_1 so"
    assert '+  "currency": "EUR"' in (found.diff or "")


async def test_a_schema_that_no_longer_takes_what_was_asked_for_says_why() -> None:
    found = diverges(await paid(), with_pay(pay_small))
    assert "no longer takes call_2_1: " in found.got
    assert "cents: Field required" in found.got


async def test_a_schema_of_a_tool_that_was_not_called_is_named_too() -> None:
    found = diverges(await record(SHOP, calls(LOOK)), with_pay(pay_in))
    assert found.got.endswith("and reads what the run asked for as it did")


async def test_a_tool_that_is_gone_or_new_is_named() -> None:
    journal = await paid()
    gone = diverges(journal, replace(SHOP, tools=(pay,)))
    assert gone.words == "seq 1: the tool look was there; it is gone from today's workflow"
    new = diverges(journal, replace(SHOP, tools=(*SHOP.tools, replace(pay, name="send"))))
    assert new.words == "seq 1: there was no tool send; there is one in today's workflow"


def _small(amount: float) -> float:
    if amount > 10:
        raise ValueError("too much")
    return amount


@tool(name="pay")
def pay_a_little(order: str, amount: Annotated[float, AfterValidator(_small)] = 5.0) -> str:
    """Pay for an order."""
    raise AssertionError(order, amount)


async def test_arguments_that_are_no_longer_valid_under_the_same_schema_are_named() -> None:
    assert pay_a_little.schema_digest == pay.schema_digest
    found = diverges(await paid(), with_pay(pay_a_little))
    assert found.seq == 7
    assert "today's code would refuse pay (call_2_1) (Invalid arguments for pay" in found.got
    assert "too much" in found.got


async def test_a_lower_limit_is_named_where_it_would_have_ended_the_run() -> None:
    found = diverges(await paid(), replace(SHOP, limits=Limits(max_turns=2)))
    assert found.expected == "the model was asked for turn 3"
    assert found.got == "today's code would give the run up (the limit max_turns=2 is reached)"
    assert found.turn == 3


async def test_a_higher_limit_is_named_where_the_run_was_ended() -> None:
    limited = replace(SHOP, limits=Limits(max_turns=1))
    found = diverges(await record(limited, calls(LOOK)), SHOP)
    assert found.words == (
        "turn 2, seq 6: the run was given up (the limit max_turns=1 is reached); "
        "today's code would ask the model for turn 2"
    )


class Saying:
    """A model that says or raises what it was given."""

    def __init__(self, *sayings: Any) -> None:
        self.sayings = list(sayings)
        self.asked: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.asked.append(request)
        said = self.sayings.pop(0)
        if isinstance(said, Exception):
            raise said
        return ModelReply(Message.model_validate({"role": "assistant", **said}))


async def failing(*sayings: Any, workflow: Workflow = SHOP) -> Journal:
    return await record(replace(workflow, model=Saying(*sayings)))


async def test_fewer_tries_at_the_model_are_named() -> None:
    busy = TransientModelError("busy")
    journal = await failing(busy, busy, OK)
    assert rerun(journal, SHOP) is None
    found = diverges(journal, replace(SHOP, limits=Limits(max_attempts=1)))
    assert (found.turn, found.seq, found.kind) == (1, 3, "model_failed")
    assert "would give the run up (the model failed once" in found.got


async def test_a_model_s_own_error_for_good_is_reality() -> None:
    journal = await failing(PermanentModelError("no"))
    assert journal[-1].event.kind == "run_aborted"
    assert rerun(journal, SHOP) is None


async def test_what_people_said_is_said_again_to_today_s_code() -> None:
    small = ("pay", {"order": "1", "amount": 5})
    more = approved(arguments={"order": "1", "amount": 20.0})
    edited = await record(SHOP, calls(small), then=more)
    assert rerun(edited, SHOP) is None
    found = diverges(edited, with_pay(pay_a_little))
    assert (found.kind, found.expected) == ("approval_granted", "ann allowed pay (call_1_1)")
    assert "would refuse that: the changed arguments do not fit pay" in found.got


async def test_calls_that_a_sticky_rule_allowed_rerun() -> None:
    remember = approved(remember={"amount": {"le": 90}})
    journal = await record(SHOP, calls(PAY), calls(PAY), then=remember)
    assert [one.event.kind for one in journal].count("approval_requested") == 1
    assert rerun(journal, SHOP) is None


async def test_who_may_decide_is_not_judged_again() -> None:
    gated = with_pay(replace(pay, approval=ApprovalPolicy(roles=["manager"], quorum=2)))

    async def both(engine: Any) -> Any:
        await engine.approve("r1", by="ann")
        return await engine.approve("r1", by="bob")

    assert rerun(await record(gated, calls(PAY), then=both), gated) is None


async def test_an_answer_is_not_put_through_its_form_again() -> None:
    asking = replace(SHOP, tools=(ask_person(choices=["red", "blue"]),))
    journal = await record(
        asking,
        calls(("ask_person", {"question": "Which?"})),
        then=lambda engine: engine.answer("r1", by="ann", result="red"),
    )
    assert rerun(journal, asking) is None
    found = diverges(journal, replace(asking, tools=(ask_person(choices=["red"]),)))
    assert found.got.endswith("with different form")
    assert '-      "blue"' in (found.diff or "")


def shaky(**hints: Any) -> Tool:
    """A tool whose first attempt breaks off."""
    attempts: list[str] = []

    @tool(name="ship", approval="never", **hints)
    def ship(order: str) -> str:
        """Ship an order."""
        attempts.append(order)
        if len(attempts) == 1:
            raise TimeoutError("slow")
        return "shipped"

    return ship


async def test_a_call_that_may_no_longer_be_repeated_is_named() -> None:
    shop = replace(SHOP, tools=(shaky(idempotent=True),))
    journal = await record(shop, calls(("ship", {"order": "1"})))
    kinds = [one.event.kind for one in journal]
    assert kinds.count("tool_started") == 2
    assert rerun(journal, shop) is None
    found = diverges(journal, replace(SHOP, tools=(shaky(),)))
    assert found.got.endswith("with different repeats")


async def test_a_look_up_that_there_is_no_longer_is_named() -> None:
    shop = replace(SHOP, tools=(shaky(reconcile=lambda *_: "it is on its way"),))
    journal = await record(shop, calls(("ship", {"order": "1"})))
    assert rerun(journal, shop) is None
    found = diverges(journal, replace(SHOP, tools=(shaky(),)))
    assert found.expected == "it was looked up what came of ship (call_1_1)"
    assert found.got == "today's code would ask a person what came of ship (call_1_1)"


async def test_a_record_that_was_masked_reruns_by_what_it_says() -> None:
    journal = await paid()
    secret = [
        one.model_validate_json(
            one.model_dump_json().replace('"1"', '"***"').replace('\\"1\\"', '\\"***\\"')
        )
        for one in journal
    ]
    assert secret != list(journal)
    assert rerun(secret, SHOP) is None
    found = diverges(secret, with_pay(replace(pay, approval="never")))
    assert found.seq == 7


async def test_what_was_erased_cannot_be_rerun() -> None:
    journal = await paid()
    seq = len(journal) + 1
    erased = events.Recorded(
        seq=seq, at=journal[-1].at, event=events.DataErased(by="ann", reason="asked for")
    )
    with pytest.raises(RefusedError, match="was erased"):
        rerun([*journal, erased], SHOP)


async def test_a_fork_reruns_with_the_names_of_the_run_that_it_was_copied_from() -> None:
    journal = await paid()
    first = journal[0].event.model_copy(update={"run_id": "r2"})
    copied = [journal[0].model_copy(update={"event": first}), *journal[1:7]]
    forked = events.RunForked(run_id="r1", at_seq=7, digest="0" * 64, by="ann")
    fork = [*copied, events.Recorded(seq=8, at=journal[7].at, event=forked)]
    assert rerun(fork, SHOP) is None
    asked = journal[6].event.model_copy(update={"approval_id": "r2.2"})
    assert rerun([*fork, events.Recorded(seq=9, at=journal[7].at, event=asked)], SHOP) is None


async def test_a_fork_with_other_arguments_is_compared_from_where_it_forked() -> None:
    workflow = replace(SHOP, model=ScriptedModel([calls(PAY), OK]))
    async with Engine(store="memory://", workflows=[workflow]) as engine:
        await engine.start("shop", "Hello", "r1")
        await engine.fork("r1", at=3, arguments={"call_1_1": {"order": "1"}}, new_id="r2")
        journal = await engine.journal("r2")
    assert [one.event.kind for one in journal[2:5]] == [
        "approval_requested",
        "run_forked",
        "approval_requested",
    ]
    assert rerun(journal, workflow) is None
    unasked = replace(workflow, tools=UNASKED[0].tools)
    assert diverges(journal, unasked).seq == 5


async def test_calls_whose_arguments_a_log_lacked_rerun_with_what_a_person_gave() -> None:
    journal = [*(await record(SHOP, calls(PAY)))]
    at = journal[-1].at
    call = "call_1_1"
    add(journal, events.ArgumentsLost(calls=(call,)))
    for said in (
        None,
        Approve(call_id=call, by="ann", retry=True, arguments={"order": "1", "amount": 60}),
    ):
        run = fold(journal)
        assert run is not None
        if said is not None:
            add(journal, *accept(run, SHOP, said))
        while isinstance(effect := decide(fold(journal) or run, SHOP, at), Record):
            add(journal, *effect.events)
    kinds = [one.event.kind for one in journal]
    assert kinds[-3:] == ["approval_requested", "approval_granted", "approvals_settled"]
    assert isinstance(effect, CallTools)
    add(journal, *effect.intents)
    assert rerun(journal, SHOP) is None


def add(journal: list[events.Recorded], *happened: events.Event) -> None:
    for event in happened:
        seq = len(journal) + 1
        journal.append(events.Recorded(seq=seq, at=journal[-1].at, event=event))


async def test_what_is_no_run_of_the_workflow_is_refused() -> None:
    with pytest.raises(BadInputError, match="empty"):
        rerun([], SHOP)
    with pytest.raises(BadInputError, match="workflow shop, not of desk"):
        rerun(await paid(), replace(SHOP, name="desk"))


async def test_a_live_model_is_compared_by_its_tool_calls_only() -> None:
    journal = await paid()
    same = Saying(calls(LOOK), {**calls(PAY), "content": "In other words"}, {"content": "Bye"})
    today = replace(SHOP, instructions="Be rude.")
    assert await rerun_live(journal, today, same) is None
    assert [one.messages[0].content for one in same.asked] == ["Be rude."] * 3
    assert [one.role for one in same.asked[2].messages][-2:] == ["assistant", "tool"]
    assert [one.turn for one in same.asked] == [1, 2, 3]


async def test_a_live_model_that_asks_for_something_else_is_named() -> None:
    model = Saying(calls(LOOK), calls(("pay", {"order": "1", "amount": 61})))
    found = await rerun_live(await paid(), SHOP, model)
    assert found is not None
    assert found.words.startswith("turn 2, seq 6: the recorded model asked for pay; today's asked")
    assert '-pay {"order": "1", "amount": 60}' in (found.diff or "")
    assert '+pay {"order": "1", "amount": 61}' in (found.diff or "")
    silent = await rerun_live(await paid(), SHOP, Saying(OK))
    assert silent is not None
    assert silent.got == "today's asked for no tool"


class _Forbidden:
    """While it is on, whatever would reach outside is noted down."""

    found: list[str] | None = None

    @classmethod
    def hook(cls, event: str, _: object) -> None:
        reaching = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "open")
        if cls.found is not None and event.startswith(reaching):
            cls.found.append(event)


sys.addaudithook(_Forbidden.hook)  # which stays for good, and is off by itself


async def test_a_rerun_calls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> Any:
        raise AssertionError("called")

    class Loud:
        name = "desk"

        async def notify(self, notice: object) -> None:
            explode(notice)

    class Mute:
        name = "desk"

        async def notify(self, notice: object) -> None:
            assert notice

    shop = replace(SHOP, tools=(look, pay, shaky(reconcile=lambda *_: "sent")), notifiers=(Mute(),))
    journal = await record(shop, calls(LOOK, PAY, ("ship", {"order": "1"})), then=approved())
    assert {"approval_notified", "tool_returned"} <= {one.event.kind for one in journal}
    dead = replace(
        shop,
        tools=tuple(
            replace(one, function=explode, reconcile=one.reconcile and explode)
            for one in shop.tools
        ),
        notifiers=(Loud(),),
        model=None,
    )
    rerun(journal, dead)  # what is built when it is first used has been built
    for name in ("time", "monotonic", "sleep"):
        monkeypatch.setattr(f"time.{name}", explode)
    monkeypatch.setattr(_Forbidden, "found", [])
    assert rerun(journal, dead) is None
    assert _Forbidden.found == []
    monkeypatch.undo()


async def test_the_hook_of_that_test_finds_what_reaches_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Forbidden, "found", [])
    import socket

    socket.socket().close()
    assert _Forbidden.found
    monkeypatch.undo()

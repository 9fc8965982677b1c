"""Who is told that a run waits: at least once, with retries, and never in the run's way."""

import asyncio
import hashlib
import hmac
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine import (
    ApprovalPolicy,
    CommandNotifier,
    DefinitionError,
    Engine,
    LogNotifier,
    Notice,
    NotifyError,
    ScriptedModel,
    State,
    WebhookNotifier,
    Workflow,
    events,
    tool,
)
from engine.runtime import notify
from tests.clock import Jumping
from tests.runtime.test_engine import OK, PAY, SQLITE, calls
from tests.spec import pay

SECRET = "correct horse battery staple"  # noqa: S105 # known to the test and its receiver alone


class Receiver(HTTPServer):
    """Keeps what is posted to it, and answers as it is told."""

    def __init__(self, *answers: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.got = list(answers), list[tuple[dict[str, str], bytes]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=canary"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers.items()), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what it saw."""


@contextmanager
def receiving(*answers: int) -> Iterator[Receiver]:
    server = Receiver(*answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Died(BaseException):
    """What no notifier raises: the end of the process."""


class Recorder:
    """Keeps what it is told, after it has failed so often."""

    def __init__(self, failures: int = 0, name: str = "recorder") -> None:
        self.name, self.failures, self.told = name, failures, list[Notice]()

    async def notify(self, notice: Notice) -> None:
        self.told.append(notice)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("nobody at home")


def desk(*notifiers: Any, clock: Jumping | None = None, approval: Any = None) -> Engine:
    shop = Workflow(
        name="shop", instructions="Help.", tools=(pay,), notifiers=notifiers, approval=approval
    )
    model = ScriptedModel([calls(PAY), OK])
    return Engine(store=SQLITE, workflows=[shop], model=model, clock=clock)


async def kinds(waystation: Engine, run_id: str) -> list[str]:
    return [one.event.kind for one in await waystation.journal(run_id)]


async def test_a_webhook_is_told_with_a_signature_that_its_receiver_can_check() -> None:
    with receiving() as receiver:
        async with desk(WebhookNotifier(receiver.url, secret=SECRET)) as waystation:
            run = await waystation.start("shop", "Hello", "r1")
            assert "approval_notified" in await kinds(waystation, "r1")
            assert (await waystation.approve("r1", by="ann")).state is State.Done
    ((headers, body),) = receiver.got
    signed = headers["Waystation-Timestamp"].encode() + b"." + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Waystation-Signature"] == f"sha256={expected}"
    notice = Notice.model_validate_json(body)
    assert (notice.run_id, notice.workflow) == ("r1", "shop")
    assert notice.approval.digest == run.approvals[0].digest
    assert notice.approval.arguments == {"order": "1", "amount": 5.0}
    assert headers["Waystation-Notice"] == notice.notice_id


async def test_what_could_not_be_told_is_told_later_by_a_worker() -> None:
    clock, recorder = Jumping(), Recorder(failures=2)
    async with desk(recorder, clock=clock) as waystation:
        run = await waystation.start("shop", "Hello", "r1")
        assert run.state is State.AwaitingApproval
        assert clock.slept == [], "the run does not wait for a notifier"
        for _ in range(3):
            clock.time += timedelta(hours=1)
            await waystation.worker().run(once=True)
        failed = [
            one.event
            for one in await waystation.journal("r1")
            if isinstance(one.event, events.NotificationFailed)
        ]
        assert [(one.attempt, one.error) for one in failed] == [
            (1, "ConnectionError: nobody at home"),
            (2, "ConnectionError: nobody at home"),
        ]
        assert (await kinds(waystation, "r1")).count("approval_notified") == 1
    assert len(recorder.told) == 3
    assert len({one.notice_id for one in recorder.told}) == 1


async def test_a_notifier_that_never_succeeds_is_given_up_and_the_run_can_still_be_decided() -> (
    None
):
    clock, recorder = Jumping(), Recorder(failures=1000)
    async with desk(recorder, clock=clock) as waystation:
        await waystation.start("shop", "Hello", "r1")
        for _ in range(notify.MOST_ATTEMPTS + 5):
            clock.time += timedelta(hours=2)
            await waystation.worker().run(once=True)
        assert len(recorder.told) == notify.MOST_ATTEMPTS
        assert (await waystation.approve("r1", by="ann")).state is State.Done


async def test_a_notifier_that_hangs_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "TIMEOUT", 0.01)

    class Hanging:
        name = "hanging"
        broken_off = 0

        async def notify(self, notice: Notice) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self.broken_off += bool(notice)

    hanging = Hanging()
    async with desk(hanging) as waystation:
        run = await waystation.start("shop", "Hello", "r1")
        assert (run.state, hanging.broken_off) == (State.AwaitingApproval, 1)
        assert (await kinds(waystation, "r1"))[-1] == "notification_failed"


async def test_a_notice_whose_mark_was_lost_is_given_again() -> None:
    """The process died after it had told, and before that was stored."""

    class Dies(Recorder):
        async def notify(self, notice: Notice) -> None:
            await super().notify(notice)
            if len(self.told) == 1:
                raise Died

    recorder = Dies()
    with pytest.raises(Died):
        await _start_in_a_task(recorder)
    async with desk(recorder) as waystation:
        run = await waystation.resume("r1")
        assert run.approvals[0].untold == ()
    assert [one.notice_id for one in recorder.told] == [recorder.told[0].notice_id] * 2


async def _start_in_a_task(recorder: Recorder) -> None:
    async with desk(recorder) as waystation:
        await waystation.start("shop", "Hello", "r1")


async def test_each_notifier_has_its_own_attempts_and_reminders_tell_all_again() -> None:
    clock, one, other = Jumping(), Recorder(name="one"), Recorder(failures=1, name="other")
    policy = ApprovalPolicy(remind_every=86_400)
    async with desk(one, other, clock=clock, approval=policy) as waystation:
        await waystation.start("shop", "Hello", "r1")
        clock.time += timedelta(hours=1)
        await waystation.worker().run(once=True)
        assert (len(one.told), len(other.told)) == (1, 2)
        clock.time += timedelta(days=1)
        await waystation.worker().run(once=True)
        assert (len(one.told), len(other.told)) == (2, 3)
        assert len({notice.notice_id for notice in one.told}) == 2
        assert (await kinds(waystation, "r1")).count("approval_reminded") == 1


async def test_a_command_reads_the_notice_and_its_exit_code_counts() -> None:
    keep = "import sys; open('told', 'a').write(sys.stdin.read()); sys.exit(int(sys.argv[1]))"
    notice = await _any_notice()
    command = [sys.executable, "-c", keep]
    await CommandNotifier([*command, "0"]).notify(notice)
    told = await asyncio.to_thread(Path("told").read_text)
    assert Notice.model_validate_json(told) == notice
    with pytest.raises(NotifyError, match="ended with 3"):
        await CommandNotifier([*command, "3"]).notify(notice)


async def test_a_command_that_is_broken_off_is_killed_with_its_children() -> None:
    begin = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "with open('pids', 'w') as told: told.write(f'{os.getpid()} {child.pid}')\n"
        "child.wait()\n"
    )
    notice = await _any_notice()
    _mkfifo("pids")
    telling = asyncio.create_task(CommandNotifier([sys.executable, "-c", begin]).notify(notice))
    pids = (await asyncio.to_thread(Path("pids").read_text)).split()
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
    assert len(pids) == 2
    for pid in pids:
        await asyncio.to_thread(_gone, int(pid))


@pytest.mark.parametrize(("answer", "said"), [(500, "answered 500"), (302, "answered 302")])
async def test_a_refused_webhook_says_so_and_names_no_secret(answer: int, said: str) -> None:
    with receiving(answer) as receiver:
        webhook = WebhookNotifier(receiver.url, secret=SECRET)
        with pytest.raises(NotifyError, match=said) as raised:
            await webhook.notify(await _any_notice())
    with pytest.raises(NotifyError, match="not reached: ConnectError") as unreached:
        await webhook.notify(await _any_notice())
    for words in (str(raised.value), str(unreached.value), repr(webhook)):
        assert SECRET not in words
        assert "canary" not in words


def test_a_webhook_that_cannot_be_is_refused() -> None:
    with pytest.raises(DefinitionError, match="http or https"):
        WebhookNotifier("file:///etc/passwd", secret=SECRET)
    with pytest.raises(DefinitionError, match="secret"):
        WebhookNotifier("https://example.org", secret="")
    with pytest.raises(DefinitionError, match="one name"):
        Workflow(name="w", instructions="", notifiers=(Recorder(), Recorder()))


async def test_the_log_is_told_in_one_line() -> None:
    class Lines:
        def __init__(self) -> None:
            self.lines: list[tuple[str, dict[str, object]]] = []

        def info(self, event: str, **fields: object) -> None:
            self.lines.append((event, fields))

    lines, notice = Lines(), await _any_notice()
    await LogNotifier(lines).notify(notice)
    assert lines.lines == [("approval_waiting", json.loads(notice.model_dump_json()))]


async def _any_notice() -> Notice:
    @tool
    def send(order: str) -> str:
        """Send."""
        return order

    recorder = Recorder()
    shop = Workflow(name="shop", instructions="", tools=(send,), notifiers=(recorder,))
    model = ScriptedModel([calls(("send", {"order": "1"}))])
    async with Engine(store="memory://", workflows=[shop], model=model) as waystation:
        await waystation.start("shop", "Hello", "r1")
    return recorder.told[0]


def _mkfifo(name: str) -> None:
    import os

    os.mkfifo(name)


def _gone(pid: int) -> None:
    """Nothing, once there is no such process, or only its entry for a parent to read."""
    stat = Path(f"/proc/{pid}/stat")
    while stat.exists():
        try:
            if stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
        except OSError:
            return

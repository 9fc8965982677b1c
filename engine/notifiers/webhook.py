"""Telling through HTTP."""

import hashlib
import hmac
from datetime import UTC, datetime

from engine.core.notices import Notice
from engine.errors import DefinitionError, NotifyError

_HTTP_OK = range(200, 300)
_TIMEOUT = 10.0  # seconds for each step of one attempt


class WebhookNotifier:
    """Posts the notice as JSON; an answer of 200 to 299 means that it was told.

    `Waystation-Signature` is `sha256=` and the HMAC-SHA256, in hex, of the timestamp, a
    dot, and the body, under the secret; `Waystation-Timestamp` is in seconds since 1970.
    A receiver compares it in constant time and refuses old timestamps. The same
    `Waystation-Notice` may come more than once. Redirections are not followed.
    """

    def __init__(self, url: str, *, secret: str, name: str = "webhook") -> None:
        """Take the address and the secret; DefinitionError where either is of no use."""
        if not url.startswith(("https://", "http://")):
            raise DefinitionError("a webhook is an address of http or https")
        if not secret:
            raise DefinitionError("a webhook needs a secret to sign with")
        self.name, self._url, self._secret = name, url, secret.encode()

    async def notify(self, notice: Notice) -> None:
        """See Notifier. What is raised names neither the address nor the secret."""
        import httpx2

        body = notice.model_dump_json().encode()
        timestamp = str(int(datetime.now(UTC).timestamp()))
        signed = hmac.new(self._secret, f"{timestamp}.".encode() + body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "Waystation-Notice": notice.notice_id,
            "Waystation-Timestamp": timestamp,
            "Waystation-Signature": f"sha256={signed.hexdigest()}",
        }
        try:
            async with httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client:
                answer = await client.post(self._url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            raise NotifyError(f"the webhook was not reached: {type(error).__name__}") from None
        if answer.status_code not in _HTTP_OK:
            raise NotifyError(f"the webhook answered {answer.status_code}")

"""The shop's database: orders, customers, refunds, and the outbox of e-mails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import apsw
from pydantic import BaseModel

RETURN_DAYS = 30


class Order(BaseModel):
    """One order; money in cents."""

    order_id: str
    customer: str
    email: str
    total_cents: int
    items: int
    delivered: date | None
    refunded: bool

    @property
    def last_return_day(self) -> date | None:
        """The last day on which the order may be sent back; None until it is delivered."""
        return self.delivered and self.delivered + timedelta(days=RETURN_DAYS)


class ShopError(Exception):
    """The shop refuses; the message says why."""


class Shop:
    """The database at a path, opened for each question and seeded on first use."""

    def __init__(self, path: Path, today: Callable[[], date]) -> None:
        """Take the path and the calendar that the recent orders are seeded by."""
        self._path, self._today = path, today

    def order(self, order_id: str) -> Order:
        """The order; ShopError if there is none."""
        with self._open() as database:
            return _order(database, order_id)

    def refund(self, order_id: str, amount_cents: int, reason: str, key: str) -> Order:
        """The order, now refunded, on the books under the call's idempotency key.

        Raises ShopError where there is no such order, it was refunded before, or the
        amount is more than its total; check and refund are one transaction.
        """
        with self._open() as database:
            order = _order(database, order_id)
            if order.refunded:
                raise ShopError(f"order {order_id} has been refunded already")
            if not 0 < amount_cents <= order.total_cents:
                raise ShopError(
                    f"{euros(amount_cents)} is not within the total of {euros(order.total_cents)}"
                )
            database.execute(
                "INSERT INTO refunds (order_id, amount_cents, reason, day, key)"
                " VALUES (?, ?, ?, ?, ?)",
                (order_id, amount_cents, reason, self._today().isoformat(), key),
            )
            return order

    def refunded_under(self, key: str) -> tuple[Order, int] | None:
        """The order that was refunded under an idempotency key, and the cents; None if none was."""
        with self._open() as database:
            asked = "SELECT order_id, amount_cents FROM refunds WHERE key = ?"
            row = database.execute(asked, (key,)).fetchone()
            return row and (_order(database, row[0]), row[1])

    def send(self, order_id: str, subject: str, body: str) -> str:
        """The address that the e-mail went out to, the customer's own; ShopError if no order."""
        with self._open() as database:
            order = _order(database, order_id)
            database.execute(
                "INSERT INTO outbox (address, subject, body) VALUES (?, ?, ?)",
                (order.email, subject, body),
            )
            return order.email

    @contextmanager
    def _open(self) -> Iterator[apsw.Connection]:
        """A connection inside one immediate transaction, closed afterwards."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = apsw.Connection(str(self._path))
        try:
            database.set_busy_timeout(10_000)
            database.execute("BEGIN IMMEDIATE")
            self._seed(database)
            yield database
            database.execute("COMMIT")
        finally:
            database.close()

    def _seed(self, database: apsw.Connection) -> None:
        if database.pragma("user_version") == 1:  # a shop of before refunds had keys
            database.execute("ALTER TABLE refunds ADD COLUMN key TEXT")
            database.pragma("user_version", 2)
        if database.pragma("user_version"):
            return
        database.execute(files(__package__).joinpath("shop.sql").read_text(encoding="utf-8"))
        for order_id, days in database.execute("SELECT order_id, days_ago FROM recent").get or ():
            delivered = self._today() - timedelta(days=days)
            database.execute(
                "UPDATE orders SET delivered = ? WHERE order_id = ?",
                (delivered.isoformat(), order_id),
            )
        database.execute("DROP TABLE recent")
        database.pragma("user_version", 2)


def euros(cents: int) -> str:
    """The amount with two decimals."""
    return f"{cents // 100}.{cents % 100:02}"


def _order(database: apsw.Connection, order_id: str) -> Order:
    row = database.execute(
        "SELECT o.order_id, c.name, c.email, o.total_cents, o.items, o.delivered,"
        " EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = o.order_id)"
        " FROM orders o JOIN customers c USING (customer_id) WHERE o.order_id = ?",
        (order_id,),
    ).fetchone()
    if row is None:
        raise ShopError(f"there is no order {order_id}")
    return Order.model_validate(dict(zip(Order.model_fields, row, strict=True)))

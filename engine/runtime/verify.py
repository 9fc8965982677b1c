"""Reading every run of a store, to find those that do not hold together."""

from collections.abc import AsyncIterator, Sequence

from engine.codec.chain import PLAIN, AuditKeys
from engine.errors import StoreError, UnreadableRunError
from engine.ports import Checkable, Head, Store
from engine.runtime.load import load

_PAGE = 500


async def faults(store: Store, keys: AuditKeys = PLAIN) -> AsyncIterator[tuple[str, str]]:
    """What is wrong with each damaged run, with the run's id; "" for a fault of the store itself.

    Runs that are whole are passed over. StoreError where the store cannot be read.
    """
    if isinstance(store, Checkable):
        for fault in await store.faults():
            yield "", fault
    after: str | None = None
    while True:
        page = await store.heads(limit=_PAGE, after=after)
        for head in page:
            try:
                if (await load(store, head.run_id, keys)).run is None:
                    yield head.run_id, f"run {head.run_id} is damaged: it is not found by its name"
            except (UnreadableRunError, StoreError) as error:
                yield head.run_id, str(error)
        after = end_of(page, _PAGE)
        if after is None:
            return


def end_of(page: Sequence[Head], limit: int) -> str | None:
    """The run after which the next page begins; None where there is none.

    A damaged row whose name is no text cannot be named, so one before it is; rows may then
    come twice.
    """
    if len(page) < limit:
        return None
    return next((row.run_id for row in reversed(page) if "\ufffd" not in row.run_id), None)

"""The store in memory keeps the contract."""

import pytest

from engine.ports import Store
from engine.stores.memory import MemoryStore
from tests.stores.contract import StoreContract
from tests.stores.leaving import LeavingContract


class TestMemoryStore(StoreContract, LeavingContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

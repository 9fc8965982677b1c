"""The store in memory keeps the contract."""

import pytest

from engine.ports import Store
from engine.stores.memory import MemoryStore
from tests.stores.contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

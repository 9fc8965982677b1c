"""The store in memory keeps the contract."""

import pytest

from engine.ports import Store
from engine.stores.memory import MemoryStore
from tests.stores.leaving import LeavingContract
from tests.stores.remembering import RememberingContract


class TestMemoryStore(RememberingContract, LeavingContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

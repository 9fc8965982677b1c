"""What holds besides for every store that keeps facts."""

from array import array
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ConflictError
from engine.ports import Store
from engine.remembering import Erasure, FactRow, MemoryChange, Remembering, words_in
from tests.stores.contract import StoreContract, addition


def fact(
    fact_id: str, text: str = "She likes tea", scope: str = "chloe", **more: object
) -> FactRow:
    row = FactRow(scope, fact_id, "fact", text, "r1", 7, 1000, "call_1_1", scope)
    return replace(row, **more)  # type: ignore[arg-type] # fields by name


def vector(*numbers: float) -> bytes:
    return array("f", numbers).tobytes()


WHEN = Erasure(at=5, by="boss", facts=0, reason="she asked")


class RememberingContract(StoreContract):
    """Override `store`."""

    @pytest.fixture
    def memory(self, store: Store) -> Remembering:
        assert isinstance(store, Remembering)
        return store

    async def keep(self, store: Store, run_id: str, *facts: FactRow, **more: object) -> None:
        """A commit that begins a run and keeps facts."""
        change = replace(MemoryChange(facts), **more)  # type: ignore[arg-type] # fields by name
        await store.append(replace(addition(run_id, 0), memory=change))

    async def test_facts_are_kept_with_the_entries_and_listed_newest_first(
        self, store: Store, memory: Remembering
    ) -> None:
        one, two = fact("1"), fact("2", "She moved", vector=vector(1.0), embedder="e")
        await self.keep(store, "a", one, two)
        await self.keep(store, "b", fact("3", scope="bob"))
        assert tuple(await memory.facts(scope="chloe", limit=9)) == (two, one)
        assert [row.fact_id for row in await memory.facts(limit=2)] == ["3", "2"]
        assert await memory.fact("chloe", "1") == one

    async def test_a_commit_that_is_refused_remembers_nothing(
        self, store: Store, memory: Remembering
    ) -> None:
        await self.keep(store, "a", fact("1"))
        late = replace(addition("a", 5), memory=MemoryChange((fact("2"),), (("chloe", "1"),)))
        with pytest.raises(ConflictError):
            await store.append(late)
        assert [row.fact_id for row in await memory.facts(limit=9)] == ["1"]

    async def test_one_of_the_same_scope_and_id_takes_the_place_of_the_other(
        self, store: Store, memory: Remembering
    ) -> None:
        await self.keep(store, "a", fact("1", "green"), fact("1", scope="bob"))
        await self.keep(store, "b", fact("1", "blue"))
        assert [row.text for row in await memory.facts(scope="chloe", limit=9)] == ["blue"]
        assert [row.text for row in await memory.search("chloe", ["green"], 9)] == []
        assert [row.text for row in await memory.search("chloe", ["blue"], 9)] == ["blue"]
        assert await memory.fact("bob", "1") == fact("1", scope="bob")

    async def test_forgetting_takes_the_fact_and_its_words_and_only_in_its_scope(
        self, store: Store, memory: Remembering
    ) -> None:
        await self.keep(store, "a", fact("1"), fact("1", scope="bob"))
        await self.keep(store, "b", forgotten=(("chloe", "1"), ("chloe", "never")))
        assert await memory.fact("chloe", "1") is None
        assert list(await memory.search("chloe", ["tea"], 9)) == []
        assert len(await memory.search("bob", ["tea"], 9)) == 1

    async def test_words_are_found_by_their_beginning_whatever_their_case_and_accents(
        self, store: Store, memory: Remembering
    ) -> None:
        await self.keep(
            store, "a", fact("1", "Chloé PREFERS e-mails_daily"), fact("2", "She has a dog")
        )
        for word in ("chloe", "CHLOÉ", "Chloe\u0301", "prefer", "mails", "daily"):
            assert [row.fact_id for row in await memory.search("chloe", [word], 9)] == ["1"], word
        assert list(await memory.search("chloe", ["cat"], 9)) == []
        assert list(await memory.search("chloe", [], 9)) == []
        both = await memory.search("chloe", ["dog", "emails", "has"], 1)
        assert [row.fact_id for row in both] == ["2"]

    async def test_vectors_are_those_of_the_scope_by_that_embedder(
        self, store: Store, memory: Remembering
    ) -> None:
        near, other = vector(0.6, 0.8), fact("2", embedder="f", vector=vector(1.0))
        more = [fact(one, embedder="e", vector=near) for one in ("6", "1", "5")]
        await self.keep(store, "a", *more, other, fact("3"))
        await self.keep(store, "b", fact("4", scope="bob", embedder="e", vector=near))
        assert await self.all_vectors(memory, 1) == [("1", near), ("5", near), ("6", near)]
        assert await self.all_vectors(memory, 2) == await self.all_vectors(memory, 9)

    async def all_vectors(self, memory: Remembering, limit: int) -> list[tuple[str, bytes]]:
        """Those of chloe by e, read so many at a time."""
        found: list[tuple[str, bytes]] = []
        while page := await memory.vectors(
            "chloe", "e", after=found[-1][0] if found else "", limit=limit
        ):
            assert len(page) <= limit
            found.extend(page)
        return found

    async def test_a_customer_s_facts_are_erased_wherever_they_stand_and_a_row_says_so(
        self, store: Store, memory: Remembering
    ) -> None:
        shared = fact("2", scope="team", customer="chloe")
        await self.keep(store, "a", fact("1"), shared, fact("3", scope="bob", customer="bob"))
        await self.keep(store, "b", fact("4", scope="bob", customer="bob", run_id="r9"))
        found = await memory.facts(customer="chloe", limit=9)
        assert [row.fact_id for row in found] == ["2", "1"]
        assert await memory.erase_facts("chloe", ["r9"], WHEN) == 3
        assert [row.fact_id for row in await memory.facts(limit=9)] == ["3"]
        assert list(await memory.search("chloe", ["tea"], 9)) == []
        assert list(await memory.erasures()) == [replace(WHEN, facts=3)]
        assert await memory.erase_facts("chloe", ["r9"], WHEN) == 0
        assert await memory.erase_facts(None, [], WHEN) == 0
        assert len(await memory.erasures()) == 1

    async def test_a_scope_is_a_value_never_a_query(
        self, store: Store, memory: Remembering
    ) -> None:
        await self.keep(store, "a", fact("1"))
        for scope in ("' OR 1=1 --", "%", "*", "", "CHLOE", "chloe "):
            assert list(await memory.facts(scope=scope, limit=9)) == []
            assert list(await memory.search(scope, ["tea"], 9)) == []
            assert await memory.fact(scope, "1") is None
            assert await memory.erase_facts(scope, ["' OR 1=1 --"], WHEN) == 0

    async def test_no_word_is_a_query_and_none_finds_another_scope(
        self, store: Store, memory: Remembering
    ) -> None:
        await self.keep(store, "a", fact("1", scope="bob", text="tea secret:bob NEAR OR AND"))
        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
        odd = st.sampled_from(['"', '""*', "text:tea", "NEAR(a b)", "a*", "^", "\0", "' --", "-"])

        async def find(text: str, words: list[str]) -> None:
            for wanted in (words_in(text), words):
                assert list(await memory.search("chloe", wanted, 9)) == []
            await memory.search("bob", words, 9)

        pairs: list[tuple[str, list[str]]] = []

        @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(text | odd, st.lists(text | odd, max_size=4))
        def draw(text: str, words: list[str]) -> None:
            pairs.append((text, words))

        draw()
        for one in pairs:
            await find(*one)
        assert len(pairs) >= 10

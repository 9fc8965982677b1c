"""What is drawn for a life: who, which, what is said and done, and when somebody dies."""

from hypothesis import strategies as st

from tests.runtime.life_shop import DEEDS, GATED, KINDS, Deed, Reply

MOST_RUNS = 4
NUMBER = st.integers(0, 9)
HANDS = st.integers(0, 1)
HANGS: tuple[Deed, ...] = ("hangs", "hangs, having acted")
DEED_PLAN = st.lists(st.sampled_from([*DEEDS, *HANGS]), max_size=3)
ANY = st.lists(st.sampled_from([*KINDS, "gone"]), min_size=1, max_size=3).map(tuple)
# Turns in which some calls wait for a person, one at a time, and others run meanwhile.
MIXED: st.SearchStrategy[tuple[str, ...]] = st.sampled_from(
    [("pay", "pay", "book"), ("give", "lend", "fire"), ("rent", "give", "note"), ("lend", "pay")]
)
ASKS = st.one_of(ANY, MIXED)
SAYS: st.SearchStrategy[Reply] = st.sampled_from(["answers", "fails", "refuses", "hangs"])
REPLY_PLAN = st.lists(st.one_of(ASKS, ASKS, SAYS), min_size=1, max_size=2)
FUSE = st.one_of(st.none(), st.none(), st.tuples(st.integers(0, 12), st.booleans()))
VERDICTS = ("approve", "approve", "edit", "remember", "retry", "deny", "answer", "accept")
PEOPLE = st.sampled_from(["ann", "ann", "bob", "cy"])
ORDERS = st.lists(st.sampled_from(["0", "1", "2", "9"]), max_size=2)
GATED_TOOL = st.sampled_from(sorted(GATED))
SAID = ("twice", "edit", "remember", "revoke", "wait", "too late", "write")

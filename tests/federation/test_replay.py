"""Rounds told again without a site: exact where it can be, said where it is not, refused where nothing was kept."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import FederationError
from fedprompt.federation.kept_updates import pack_updates, unpack_updates
from fedprompt.federation.replay import replay
from fedprompt.federation.round_record import RoundRecord
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.strategies.registry import strategy_named
from fedprompt.strategies.strategy import State, Update
from fedprompt.study.schema import Strategy
from tests.coded import coded
from tests.scripted_sites import STUDY

START = SoftPrompt(np.zeros((1, 2), np.float32), "m1:test")
TEMPLATE = STUDY.soft_template()


class Kept:
    """Keeps updates in a dict."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, str], tuple[Update, ...]] = {}

    def keep(self, number: int, prompt: str, updates: Sequence[Update]) -> None:
        self.found[number, prompt] = tuple(updates)

    def kept(self, number: int, prompt: str) -> tuple[Update, ...] | None:
        return self.found.get((number, prompt))


def update(site: str, cases: int, *values: float) -> Update:
    return Update(site, np.array([values], np.float32), cases)


def told(strategy: Strategy, rounds: Sequence[Sequence[Update]]) -> tuple[list[RoundRecord], Kept]:
    """Return rounds as a hub would have run them."""
    kept, records = Kept(), []
    vectors = START.vectors
    state: State = {}
    for number, updates in enumerate(rounds, 1):
        made = strategy_named(strategy.name).aggregate(vectors, list(updates), strategy.options, state)
        vectors, state = made.vectors, made.state
        prompt = Prompt(TEMPLATE, SoftPrompt(vectors, START.model))
        records.append(RoundRecord(number, prompt, {}, (), 0, {}))
        kept.keep(number, prompt.id, updates)
    return records, kept


def test_without_a_site_the_others_are_added_up_anew() -> None:
    one = [update("a", 1, 2.0, 0.0), update("b", 3, 6.0, 4.0), update("c", 1, 4.0, 2.0)]
    two = [update("a", 1, 1.0, 1.0), update("c", 3, 5.0, 1.0)]
    records, kept = told(Strategy(), [one, two])
    first, second = replay(records, kept, START, Strategy(), {"b"})
    # (2 + 4) / 2 and (0 + 2) / 2; then (1 + 3 * 5) / 4 = 4 and 1 on top of them.
    assert first.prompt.soft is not None and first.prompt.soft.vectors.tolist() == [[3.0, 1.0]]
    assert second.prompt.soft is not None and second.prompt.soft.vectors.tolist() == [[7.0, 2.0]]
    assert (first.sites, first.exact, first.before) == (("a", "c"), True, records[0].prompt.id)
    assert (second.sites, second.exact) == (("a", "c"), False)


@given(
    st.sampled_from(["fedavg", "fedavgm", "fedadam", "fedyogi", "median", "fedbuff", "norm-bounded-mean"]),
    st.lists(
        st.lists(st.tuples(st.integers(1, 99), st.floats(-9, 9, width=32)), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    ),
)
def test_without_somebody_who_took_no_part_every_round_is_what_it_was(
    name: str, drawn: list[list[tuple[int, float]]]
) -> None:
    rounds = [[update(f"s{place}", cases, value, -value) for place, (cases, value) in enumerate(r)] for r in drawn]
    strategy = Strategy.model_validate({"name": name})
    records, kept = told(strategy, rounds)
    found = replay(records, kept, START, strategy, {"nobody"})
    assert [one.prompt.id for one in found] == [record.prompt.id for record in records]
    assert all(one.exact for one in found)


def test_a_round_whose_updates_were_not_kept_is_named() -> None:
    records, kept = told(Strategy(), [[update("a", 1, 1.0, 1.0)], [update("a", 1, 2.0, 1.0)]])
    del kept.found[2, records[1].prompt.id]
    with pytest.raises(FederationError, match="round 2", check=coded("no-updates-kept")):
        replay(records, kept, START, Strategy(), {"b"})


def test_too_few_sites_for_the_strategy_are_refused_with_the_round() -> None:
    strategy = Strategy.model_validate({"name": "trimmed-mean"})
    records, kept = told(strategy, [[update(site, 1, 1.0, 1.0) for site in "abc"]])
    with pytest.raises(FederationError, match=r"round 1 .*\b3\b.*\b2\b", check=coded("too-few-updates")):
        replay(records, kept, START, strategy, {"c"})


def test_updates_come_back_bit_by_bit_and_damage_is_said() -> None:
    updates = [update("a", 7, 1e-30, -0.0), update("b", 9, 3.5, 2.0)]
    body = pack_updates(updates)
    found = unpack_updates(body)
    assert [(one.site, one.cases, one.delta.tobytes()) for one in found] == [
        (one.site, one.cases, one.delta.tobytes()) for one in updates
    ]
    assert unpack_updates(pack_updates([])) == ()
    for hurt in ({**body, "arrays": "!"}, {**body, "sites": ["a"]}, {**body, "arrays": "AAAA"}, {}):
        with pytest.raises(FederationError, check=coded("damaged")):
            unpack_updates(hurt)

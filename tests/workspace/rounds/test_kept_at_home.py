"""A site keeps what its cases and the other sites' say together; with too few others, what its own cases say."""

import pytest

from fedprompt.study.score import Score
from fedprompt.workspace.rounds.kept_at_home import LEAST, kept_at_home


def score(right: int, n: int, groups: int | None = None, prompt: str = "0") -> Score:
    of = n if groups is None else groups
    return Score(
        prompt="p1:" + prompt * 32,
        split="validation",
        metric="accuracy",
        n=n,
        total=right,
        squares=right,
        groups=of,
        group_squares=1,
    )


def site(own: int, federated: int, manual: int, n: int = 100) -> dict[str, Score]:
    return {
        "local_own": score(own, n),
        "federated": score(federated, n, None, "1"),
        "manual": score(manual, n, None, "2"),
    }


OTHERS = {f"site-{place}": site(50 + place, 75 + place, 51) for place in range(LEAST)}


def test_few_cases_at_home_do_not_outweigh_what_three_others_found() -> None:
    # 6 of 10 against 5 of 10 at home: one case more; elsewhere the common prompt is 25 points better each time.
    found = kept_at_home({**OTHERS, "home": site(6, 5, 3, n=10)})
    assert found["home"] == "federated"
    assert kept_at_home({"home": site(6, 5, 3, n=10)}) == {"home": "local_own"}


def test_two_others_are_too_few_and_the_best_at_home_is_kept_its_own_of_equals() -> None:
    two = dict(list(OTHERS.items())[:2])
    assert kept_at_home({**two, "home": site(6, 5, 3, n=10)})["home"] == "local_own"
    assert kept_at_home({**two, "home": site(5, 5, 5, n=10)})["home"] == "local_own"
    assert kept_at_home({**two, "home": site(4, 5, 6, n=10)})["home"] == "manual"


def test_many_cases_at_home_outweigh_the_others() -> None:
    assert kept_at_home({**OTHERS, "home": site(900, 700, 600, n=1000)})["home"] == "local_own"


def test_a_site_s_own_cases_are_no_part_of_what_the_others_tell_it() -> None:
    # Were home among its own donors, its 1,000 cases would make all others keep their own prompts too.
    found = kept_at_home({**OTHERS, "odd": site(900, 100, 100, n=1000)})
    assert found["odd"] == "local_own" and {found[name] for name in OTHERS} == {"federated"}


@pytest.mark.parametrize("missing", ["federated", "manual"])
def test_a_site_that_lacks_a_score_chooses_among_the_rest_and_lends_no_strength(missing: str) -> None:
    short = {name: one for name, one in OTHERS["site-0"].items() if name != missing}
    home = {name: one for name, one in site(6, 5, 3, n=10).items() if name != missing}
    found = kept_at_home({**OTHERS, "site-0": short, "home": home})
    assert found["home"] == ("federated" if missing == "manual" else "local_own")
    # With one of the three others short of a score, two are left for a site that has them all.
    assert kept_at_home({**OTHERS, "site-0": short, "home": site(6, 5, 3, n=10)})["home"] == "local_own"


def test_cases_in_groups_count_as_their_groups() -> None:
    """A thousand cases in ten groups say no more than ten cases do."""
    rights = {"local_own": 600, "federated": 500, "manual": 300}
    home = {name: score(right, 1000, 10, str(place)) for place, (name, right) in enumerate(rights.items())}
    assert kept_at_home({**OTHERS, "home": home})["home"] == "federated"

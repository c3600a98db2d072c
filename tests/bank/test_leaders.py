"""The ranking is the mean over sites of each site's newest score, whatever is asked of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from fedprompt.bank.filters import Filter, conditions
from fedprompt.bank.schema import prompts as PROMPTS
from fedprompt.bank.store import Bank
from fedprompt.errors import BankError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.trust.signing import Signer
from tests.coded import coded

pytestmark = pytest.mark.whole

MODEL = "sha256:" + "a" * 64
HOME = Signer(bytes(32))
SITES = ("a", "b")


def _score(prompt: Prompt, right: float, n: int = 10, split: str = "validation") -> Score:
    return Score.model_validate(
        {
            "prompt": prompt.id,
            "split": split,
            "metric": "accuracy",
            "n": n,
            "total": right,
            "squares": right,
            "groups": n,
            "group_squares": 1.0,
        }
    )


def _template(name: str) -> Prompt:
    return Prompt(Template(name, text=f"{name}: {{text}}"))


@pytest.fixture
def prompts() -> dict[str, Prompt]:
    soft = Prompt(Template("soft", text="soft {text}{soft}"), SoftPrompt(np.ones((2, 3), np.float32), MODEL))
    return {name: _template(name) for name in ("high", "low", "partial")} | {"soft": soft}


@pytest.fixture
def ranked(bank: Bank, study: Study, digest: str, prompts: dict[str, Prompt]) -> Bank:
    """Return a bank: high 0.9 and 0.7, soft 0.8 and 0.6, low 0.3 and 0.5, partial 1.0 at one site."""
    bank.record_study(study, digest, MODEL)
    for name, prompt in prompts.items():
        bank.record_prompt(prompt, study=digest, origin="federated" if name == "soft" else "study")
    bank.start_run("r", kind="demo", study=digest, settings={})
    right = {"high": (9, 7), "soft": (8, 6), "low": (3, 5), "partial": (10, None)}
    for place, site in enumerate(SITES):
        scores = [_score(prompts[name], both[place]) for name, both in right.items() if both[place] is not None]
        bank.record_scores("r", site, scores)
    return bank


def _names(bank: Bank, wanted: Filter, **more: object) -> list[str]:
    return [row.name for row in bank.leaders(wanted, **more).rows]  # type: ignore[arg-type]


def test_prompts_of_every_site_are_ranked_by_the_mean_and_the_others_stand_apart(ranked: Bank, digest: str) -> None:
    page = ranked.leaders(Filter(study=digest))
    assert [(row.name, row.mean, row.worst, row.sites) for row in page.rows] == [
        ("high", pytest.approx(0.8), 0.7, 2),
        ("soft", pytest.approx(0.7), 0.6, 2),
        ("low", pytest.approx(0.4), 0.3, 2),
    ]
    assert (page.total, page.sites) == (3, 2)
    assert _names(ranked, Filter(study=digest), coverage="partial") == ["partial"]
    assert _names(ranked, Filter(study=digest), coverage="any")[0] == "partial"


def test_means_are_of_all_that_any_site_scored_or_of_those_that_every_site_did(
    ranked: Bank, digest: str, prompts: dict[str, Prompt]
) -> None:
    everywhere = {prompts[name].id: pytest.approx(mean) for name, mean in (("high", 0.8), ("soft", 0.7), ("low", 0.4))}
    assert ranked.means(digest, everywhere=True) == everywhere
    assert ranked.means(digest) == everywhere | {prompts["partial"].id: 1.0}


def test_a_sites_newest_score_counts_and_one_over_no_cases_counts_for_nothing(
    ranked: Bank, digest: str, prompts: dict[str, Prompt]
) -> None:
    ranked.start_run("s", kind="score", study=digest, settings={})
    ranked.record_scores("s", "a", [_score(prompts["low"], 10, n=10)])
    assert _names(ranked, Filter(study=digest)) == ["high", "low", "soft"]  # (1.0 + 0.5) / 2
    ranked.record_scores("s", "b", [_score(prompts["high"], 0, n=0)])
    assert _names(ranked, Filter(study=digest)) == ["low", "soft"]
    ranked.record_scores("s", "a", [_score(prompts["low"], 1, n=10)])  # recorded in this run already: the first stays
    assert _names(ranked, Filter(study=digest)) == ["low", "soft"]
    assert ranked.verify() == ()


def test_by_case_and_by_the_worst_site_are_other_orders(ranked: Bank, digest: str, prompts: dict[str, Prompt]) -> None:
    ranked.start_run("s", kind="score", study=digest, settings={})
    ranked.record_scores("s", "b", [_score(prompts["low"], 995, n=1000)])
    rows = {row.name: row for row in ranked.leaders(Filter(study=digest)).rows}
    assert rows["low"].pooled == pytest.approx(998 / 1010)
    assert _names(ranked, Filter(study=digest), order="pooled") == ["low", "high", "soft"]
    assert _names(ranked, Filter(study=digest), order="worst") == ["high", "soft", "low"]
    assert _names(ranked, Filter(study=digest, site="b"), order="site") == ["low", "high", "soft"]


def test_pages_follow_each_other(ranked: Bank, digest: str) -> None:
    pages = [_names(ranked, Filter(study=digest), limit=2, offset=offset) for offset in (0, 2, 4)]
    assert pages == [["high", "soft"], ["low"], []]


def test_filters_by_kind_origin_site_score_tag_time_words_and_ids(
    ranked: Bank, digest: str, prompts: dict[str, Prompt]
) -> None:
    ranked.tag_prompt(prompts["low"].id, "sentiment@trial", by="", signer=HOME)
    now = datetime.now(UTC)
    for wanted, names in (
        ({"kind": "soft"}, ["soft"]),
        ({"origin": "federated"}, ["soft"]),
        ({"minimum": 0.7}, ["high", "soft"]),
        ({"maximum": 0.5}, ["low"]),
        ({"site": "b", "minimum": 0.65}, ["high"]),
        ({"tag": "trial"}, ["low"]),
        ({"tag": "sentiment@trial"}, ["low"]),
        ({"tag": "production"}, []),
        ({"since": now}, []),
        ({"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}, ["high", "soft", "low"]),
        ({"words": "HIGH text"}, ["high"]),
        ({"model": MODEL}, ["soft"]),
        ({"ids": (prompts["low"].id, prompts["soft"].id)}, ["soft", "low"]),
        ({"kind": "template", "minimum": 0.1, "tag": "trial", "words": "low"}, ["low"]),
        ({"split": "test"}, []),
    ):
        assert _names(ranked, Filter(study=digest, **wanted)) == names, wanted


def test_a_retired_prompt_is_not_ranked_unless_asked_for(ranked: Bank, digest: str, prompts: dict[str, Prompt]) -> None:
    ranked.record_event("retire", prompts["high"].id, {"note": "old"}, by="", signer=HOME)
    assert _names(ranked, Filter(study=digest)) == ["soft", "low"]
    assert _names(ranked, Filter(study=digest, retired=True)) == ["high", "soft", "low"]


def test_prompts_that_a_site_keeps_to_itself_are_not_listed(ranked: Bank, digest: str) -> None:
    score = _score(_template("x"), 10).model_copy(update={"prompt": "h1:" + "0" * 32})
    ranked.start_run("s", kind="score", study=digest, settings={})
    for site in SITES:
        ranked.record_scores("s", site, [score])
    assert "h1:" not in "".join(row.id for row in ranked.leaders(Filter(study=digest)).rows)


def test_what_cannot_be_ranked_is_refused(ranked: Bank, digest: str) -> None:
    with pytest.raises(BankError, check=coded("needs-one-study")):
        ranked.leaders(Filter())
    with pytest.raises(BankError, check=coded("needs-a-site")):
        ranked.leaders(Filter(study=digest), order="site")
    with pytest.raises(BankError, check=coded("page-out-of-bounds")):
        ranked.leaders(Filter(study=digest), limit=0)
    with pytest.raises(BankError, check=coded("unknown-kind-of-prompt")):
        Filter(kind="hard")
    with pytest.raises(BankError, check=coded("no-time-zone")):
        ranked.leaders(Filter(study=digest, since=datetime(2026, 1, 1)))


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE standings SET mean = mean + 0.1", "not the mean of its marks"),
        ("DELETE FROM standings", "not the mean of its marks"),
        ("UPDATE marks SET total = total + 1, value = value + 0.1 WHERE site = 'a'", "that site 'a' sent"),
        ("DELETE FROM marks WHERE site = 'b'", "newest score at site 'b'"),
        (
            "INSERT INTO marks (board, entry, site, score, n, total, at) SELECT 9, entry, site, 9, n, 1, at FROM marks",
            "without a score",
        ),
        ("DELETE FROM likenesses", "near-duplicate"),
        ("UPDATE standings SET soft = 1 - soft", "under its prompt's time"),
        ("UPDATE marks SET origin = 'nowhere'", "marks are not indexed"),
        ("DELETE FROM scored WHERE entry = 1", "not paired"),
        ("DELETE FROM words WHERE word = 'high'", "names and texts"),
    ],
)
def test_what_is_derived_is_compared_and_derived_anew(ranked: Bank, digest: str, tamper, statement, what) -> None:  # type: ignore[no-untyped-def]
    tamper(statement)
    assert any(what in problem.what for problem in ranked.verify())
    ranked.rederive()
    assert ranked.verify() == ()
    assert _names(ranked, Filter(study=digest)) == ["high", "soft", "low"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"minimum": 0.65, "kind": "template"}, {"high", "partial"}),
        ({"site": "b", "minimum": 0.6}, {"high", "soft"}),
        ({"words": "low text"}, {"low"}),
        ({"words": "text", "maximum": 0.5}, {"low"}),
        ({"origin": "federated", "minimum": 0.9}, set()),
    ],
)
@pytest.mark.parametrize("in_study", [True, False])
def test_search_lets_through_what_a_filter_asks_of_study_score_and_words_together(
    ranked: Bank,
    digest: str,
    prompts: dict[str, Prompt],
    wanted: dict[str, Any],
    names: set[str],
    in_study: bool,
) -> None:
    found = ranked.numbers(Filter(study=digest if in_study else None, **wanted))
    assert found is not None
    assert set(ranked.ids_of(found.tolist()).values()) == {prompts[name].id for name in names}


def test_a_filter_of_study_and_score_does_not_look_up_every_id_with_every_number(ranked: Bank, digest: str) -> None:
    with ranked._database.read() as connection:
        if connection.dialect.name != "sqlite":
            pytest.skip("PostgreSQL hashes both lists")
        wanted = Filter(study=digest, kind="template", minimum=0.5)
        query = select(PROMPTS.c.number).where(*conditions(connection, wanted))
        said = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}"))
    assert "prompts" in plan
    assert "rowid=?" not in plan


def test_a_filter_by_the_beginning_of_an_id_ranks_and_finds_that_prompt_alone(
    ranked: Bank, digest: str, prompts: dict[str, Prompt]
) -> None:
    for begins in (prompts["low"].id, prompts["low"].id[:12]):
        assert _names(ranked, Filter(study=digest, begins=begins)) == ["low"]
        assert [row.name for row in ranked.prompts_passing(Filter(begins=begins)).rows] == ["low"]
    assert ranked.prompts_passing(Filter(begins="p1:")).total == ranked.count_prompts()


def test_pages_of_prompts_begin_with_the_newest_and_hold_each_prompt_once(
    ranked: Bank, digest: str, prompts: dict[str, Prompt]
) -> None:
    ranked.record_prompt(prompts["low"], study=None, origin="import")  # it comes again, and is no newer for it
    everything = ranked.prompts_passing(Filter())
    came = [row.id for row in ranked.prompts()]
    assert [row.id for row in everything.rows] == came[::-1] and everything.total == len(came)
    pages = [ranked.prompts_passing(Filter(), limit=2, offset=at).rows for at in range(0, len(came), 2)]
    assert [row.id for page in pages for row in page] == came[::-1]
    with pytest.raises(BankError, check=coded("page-out-of-bounds")):
        ranked.prompts_passing(Filter(), offset=-1)

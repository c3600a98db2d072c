"""A figure that stands on two pages is the same on both: each is compared where it is drawn."""

import re
from collections.abc import Callable
from typing import get_args

import pytest
from streamlit.testing.v1 import AppTest

from app.display.amounts import volume
from app.panels.federation.round_controls import said_step
from app.panels.federation.traffic import said_rounds
from app.panels.front.recent import said_working
from app.panels.studies.first_ranking import agreed
from fedprompt.evaluation.statistics.intervals import Interval
from fedprompt.federation.gathering import Step
from fedprompt.workspace.front.working import Working
from fedprompt.workspace.jobs.jobs import submit
from fedprompt.workspace.ranking.comparing import compare
from fedprompt.workspace.ranking.ranking_page import Filter, ranking_page
from fedprompt.workspace.results.travelled import travelled
from fedprompt.workspace.rounds.federation_view import federations
from fedprompt.workspace.rounds.gathering_now import StepNow
from fedprompt.workspace.site.ledgers import ledger_files, read_ledger
from fedprompt.workspace.workspace import Workspace
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages
from tests.scripted_sites import TEXT

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
ALONE = TEXT.replace("rounds: {count: 2}", "rounds: {count: 2, alone: true}")


def texts(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.header, at.error, at.success, at.info, at.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def sent(at: AppTest) -> dict[str, str]:
    """Return site -> what the page's table says that it sent."""
    table = next(one.value for one in at.table if "Sent" in one.value)
    return dict(zip(table["Site"], table["Sent"], strict=True))


@pytest.fixture
def federated(ws: Workspace) -> str:
    """A federation of two files of which each also tunes alone; it was paused once."""
    sites = {name: str(add_set(ws, name, f"{name}.csv").path) for name in ("clinic", "ward")}
    mapping = {"text": "text", "answer": "answer"}
    given = {"study": add_study(ws, ALONE), "sites": sites, "mapping": mapping, "group": None, "seed": 0}
    submit(ws, "federate", {**given, "pause_after": 1})
    submit(ws, "federate", given)
    return federations(ws)[0].id


def test_what_a_site_sent_is_the_same_on_overview_federation_and_trust(
    open_page: Open, ws: Workspace, federated: str
) -> None:
    ledgers = {site: read_ledger(site, path) for site, path in ledger_files(ws.home)}
    left = {site: view.left for site, view in ledgers.items()}
    assert {site: one.sent for site, one in travelled(ws.bank, federated).by_site.items()} == left
    said = {site: volume(size) for site, size in left.items()}
    assert sent(open_page("overview")) == sent(open_page("federation")) == said
    assert said["clinic"] in re.sub(r"\\", "", texts(open_page("trust")))


def test_a_paused_federation_has_the_same_words_on_overview_and_federation(open_page: Open, ws: Workspace) -> None:
    sites = {name: str(add_set(ws, name, f"{name}.csv").path) for name in ("clinic", "ward")}
    given = {"study": add_study(ws), "sites": sites, "mapping": {"text": "text", "answer": "answer"}, "group": None}
    submit(ws, "federate", {**given, "seed": 0, "pause_after": 1})
    overview, federation = open_page("overview"), open_page("federation")
    assert overview.info[0].value == federation.info[0].value
    labels = overview.button(key="overview_again").label, federation.button(key="federation_again").label
    assert labels == ("Resume", "Resume")


@pytest.mark.usefixtures("demo_home")
def test_the_lowest_number_says_whether_it_is_a_sites_or_a_prompts(open_page: Open) -> None:
    at = open_page("overview")
    by_label = {one.label: one for one in at.metric}
    own, together = by_label["Own prompts, every site"], by_label["Tuned together"]
    assert "worst prompt" in own.proto.delta_description
    (told,) = (messages(at)["transfer_said"],)
    number = together.proto.delta_description.removeprefix("worst site ")
    assert number in told


def test_the_first_ranking_has_the_intervals_of_the_leaderboard_and_asks_pairs_who_is_better(ws: Workspace) -> None:
    submit(ws, "score", {"study": add_study(ws, TEXT), **add_set(ws).arguments})
    (found,) = (job.result for job in ws.bank.jobs())
    assert found is not None
    study = ws.bank.run(str(found["run"])).study
    ranked = ranking_page(ws, Filter(study=study))
    shown = {one["prompt"]: Interval(one["low"], one["high"]) for one in agreed(found, ranked)}
    assert len(shown) > 1 and shown == {row.id: row.interval for row in ranked.rows}
    pairs = [{**pair, "low": -0.6, "high": -0.1} for pair in found["against_best"]]
    assert [one["level"] for one in agreed({**found, "against_best": pairs}, ranked)] == [True] + [False] * len(pairs)
    pairs = [{**pair, "low": -0.2, "high": 0.1} for pair in found["against_best"]]
    assert all(one["level"] for one in agreed({**found, "against_best": pairs}, ranked))


def test_before_the_first_round_is_finished_no_site_has_answered_none_of_none() -> None:
    assert said_rounds(0, 0) == "none finished" and said_rounds(1, 2) == "1 of 2"


def test_prompts_that_no_site_compared_are_compared_at_once_where_the_cases_are_on_this_machine(
    open_page: Open, ws: Workspace, federated: str
) -> None:
    first, second = (row.prompt for row in ws.bank.rounds(federated))
    assert compare(ws, [first, second]).pairs[0].found is None
    at = open_page("compare", first, second)
    (job,) = [job for job in ws.bank.jobs() if job.kind == "compare-pairs"]
    assert (job.state, job.error) == ("done", None)
    found = compare(ws, [first, second]).pairs[0].found
    assert found is not None and set(found.by_site) == {"clinic", "ward"}
    assert not [button for button in at.button if button.key == "compare_ask_sites"]
    # What the sites sent for it is in their ledgers and in the run's count alike.
    ledgers = {site: read_ledger(site, path).left for site, path in ledger_files(ws.home)}
    assert {site: one.sent for site, one in travelled(ws.bank, federated).by_site.items()} == ledgers


@pytest.mark.parametrize("step", get_args(Step))
def test_every_step_that_gathers_has_its_words_on_overview_and_federation(step: Step) -> None:
    now = {"token": "0" * 16, "round": 1, "step": step, "quorum": 1, "answered": 0, "seconds": None, "asked": {}}
    found = StepNow.model_validate({**now, "waiting": ("a",), "came": (), "missing": {}})
    assert said_step(found, 2)
    assert said_working(Working("r", "s", "2026-12-01T00:00:00", 0, 2, found)).startswith(said_step(found, 2))

"""Every action that writes asks for its right in ``fedprompt.workspace``, whatever page calls it.

What pages call is read from their code. A new action has to be marked with what it needs, or named here as one that
only looks; then it is called as a viewer.
"""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.errors import FedPromptError
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.workspace.acting import visitors
from fedprompt.workspace.jobs.jobs import cancel, forget, submit
from fedprompt.workspace.jobs.kinds import kinds
from fedprompt.workspace.jobs.rights import READING
from fedprompt.workspace.people import Person
from fedprompt.workspace.shelf.approving import approve_tag, ask_for, decline_tag, drop_tag, give_tag
from fedprompt.workspace.workspace import Workspace
from tests.pages.evaluation import add_set, add_study
from tests.pages.visitors import let_in, write_people

ROOT = Path(__file__).parents[2]
ROOM = "fedprompt.workspace."
VIEWER = Person("Vic", "", "https://id.example.org\nvic", "viewer")
ADA = Person("Ada", "", "https://id.example.org\nada", "operator")

# Each of these reads and returns, or works out something from what it is given.
LOOKS = {
    "acting.visitors",  # names who says who acts: the app, once
    "answers.nearest_words.prompt_tokens",
    "answers.study_model.digest_known",
    "answers.variants.Variant.made",
    "answers.variants.bank_variant",
    "bills.found_servers.configured_servers",
    "bills.found_servers.settings_of",
    "bills.judge_bill.told_calls",
    "bills.session_servers.HeldKey.release",  # the session's own key
    "bills.session_servers.ring",
    "cases.converting.conversion_of",
    "cases.converting.fieldless",
    "cases.converting.rewriting_of",
    "cases.data_view.without_refused",
    "cases.evaluation_sets.evaluation_sets",
    "cases.evaluation_sets.own_site",
    "cases.servers_asked.asked_by",
    "cases.study_draft.body_of",
    "cases.study_draft.draft_of",
    "cases.study_draft.kept_studies",
    "cases.study_draft.study_yaml",
    "cases.study_draft.used_by",
    "cases.study_draft.with_changes",
    "cases.study_draft.written_notes",
    "demo.text.read_source",
    "door.entry_token.entry_of",  # the server's own
    "door.own_address.addresses_of",
    "enrolled.hub_folder.HubFolder.sites",
    "enrolled.site_folder.EnrolledSite.accepted",
    "enrolled.site_folder.EnrolledSite.the_study",
    "enrolled.site_folder.enrolled",
    "enrolled.site_folder.enrolled_sites",
    "exchange.exporting.formats",
    "exchange.signed_by.signed_by",
    "failure.Traces.formatException",  # cuts what a log would quote
    "front.overview.overview",
    "front.working.working_now",
    "home.default_home",
    "home.find_home",
    "jobs.jobs.newest_job",
    "jobs.jobs.wait",
    "jobs.rights.deed_of",
    "jobs.tuning_job.estimate_for",
    "jobs.tuning_job.same_work",
    "jobs.tuning_job.tuning_view",
    "liveness.is_alive",
    "machine.sign_in.is_loopback",
    "machine.sign_in.sign_in_of",
    "people.Person.require",
    "people.Person.why_not",
    "people.is_fresh",
    "people.machine_person",
    "people.person_of",
    "people.read_rules",
    "playground.sweeps.read_numbers",
    "playground.sweeps.settings_grid",
    "playground.sweeps.swept_of",
    "playground.sweeps.word_sets",
    "playground.taken_further.study_of",
    "playground.taken_further.study_with",
    "playground.trial_files.TrialFolder.append",  # by the job, which was let start
    "playground.trial_files.TrialFolder.cells",
    "playground.trial_files.TrialFolder.live",
    "playground.trial_files.TrialFolder.prune",  # goes by age alone
    "playground.trial_files.TrialFolder.request",
    "playground.trial_files.TrialFolder.runs",
    "playground.trial_files.TrialFolder.sets",
    "playground.trial_files.TrialFolder.tell",  # by the job
    "playground.trial_files.owner_folder",
    "playground.trial_totals.totals_of",
    "playground.trials.read_trial",
    "ranking.comparing.compare",
    "ranking.ranking_csv.ranking_csv",
    "ranking.ranking_page.RankingFilters.filter",
    "ranking.ranking_page.contenders",
    "ranking.ranking_page.means_of_prompts",
    "ranking.ranking_page.ranked_row",
    "ranking.ranking_page.ranking_page",
    "ranking.ranking_page.standing_of",
    "ranking.study_best.bests_of_studies",
    "results.points.points",
    "rounds.federation_view.federation_view",
    "rounds.federation_view.federations",
    "rounds.federation_view.transfer_of",
    "rounds.federation_view.updates_of",
    "rounds.gathering_now.runs_now",
    "rounds.given_orders.GivenOrder.shown",
    "search.finding.can_search",
    "search.looking_up.typed_filter",
    "search.map_points.MapView.among",
    "search.map_points.MapView.best",
    "search.map_points.MapView.counts",
    "search.map_points.MapView.inside",
    "search.map_points.MapView.rows",
    "search.map_points.MapView.shown",
    "search.map_points.Outline.holds",
    "search.map_points.map_view",
    "search.prompt_map.map_sizes",
    "shelf.approving.waiting",
    "shelf.approving.why_not_approve",
    "shelf.events.lineage",
    "shelf.history.histories",
    "shelf.history.recent",
    "shelf.provenance.provenance",
    "site.ledgers.ledger_files",
    "site.ledgers.read_ledger",
    "site.pause.site_status",
    "site.report.site_report",
    "workspace.Workspace.close",
    "workspace.open_workspace",
}
# These ask by the job's kind, or by the person that they are given; each has a test of its own below.
BY_KIND = {"jobs.jobs.cancel", "jobs.jobs.forget", "jobs.jobs.submit"}
BY_PERSON = {f"shelf.approving.{name}" for name in ("approve_tag", "decline_tag", "drop_tag", "give_tag")}
# Everything else of the bank that a page asks is refused: what writes to it goes through an action.
OF_THE_BANK = {
    "best_sites",
    "count_prompts",
    "events",
    "is_retired",
    "job",
    "jobs",
    "near_duplicates",
    "prompt",
    "prompt_row",
    "prompts",
    "prompts_of",
    "prompts_passing",
    "rounds",
    "rows_of",
    "run",
    "scored_studies",
    "stamp",
    "studies",
    "study",
    "tags",
}


def trees() -> Iterator[ast.AST]:
    for path in (*(ROOT / "app").rglob("*.py"), *(ROOT / "pages").glob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def called() -> dict[str, Callable[..., Any]]:
    """Return every function of the workspace that a page has a name for, and the methods of such classes."""
    found: dict[str, Callable[..., Any]] = {}
    for tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not f"{node.module}.".startswith(ROOM):
                continue
            module = importlib.import_module(str(node.module))
            for one in node.names:
                value = getattr(module, one.name, None)
                assert not inspect.ismodule(value) and value is not None, f"import what is called from {one.name}"
                name = f"{node.module}.{one.name}".removeprefix(ROOM)
                if inspect.isclass(value):
                    found.update((f"{name}.{method}", member) for method, member in methods(value))
                elif inspect.isfunction(value):
                    found[name] = value
    return found


def methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in vars(kind).items():
        if not name.startswith("_") and inspect.isfunction(member) and member.__module__.startswith(ROOM):
            yield name, member


CALLED = called()
MARKED = {name: action for name, action in CALLED.items() if hasattr(action, "needs")}


@pytest.fixture
def as_viewer() -> Iterator[None]:
    before = visitors(lambda: VIEWER)
    yield
    visitors(before)


def test_whatever_a_page_calls_either_asks_for_a_right_or_only_looks() -> None:
    assert set(CALLED) - set(MARKED) - LOOKS - BY_KIND - BY_PERSON == set()
    assert set(MARKED) & LOOKS == set()
    assert LOOKS - set(CALLED) == set()


def test_pages_ask_the_bank_for_nothing_that_writes() -> None:
    asked = {
        node.func.attr
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Attribute | ast.Name)
        and getattr(node.func.value, "attr", getattr(node.func.value, "id", "")) == "bank"
    }
    assert asked == OF_THE_BANK


def test_the_actions_that_write_are_found() -> None:
    assert {
        "cases.evaluation_sets.keep_file",
        "cases.evaluation_sets.keep_reading",
        "cases.evaluation_sets.remove_file",
        "cases.study_draft.keep_study",
        "exchange.exporting.import_file",
        "playground.taken_further.keep_variant",
        "rounds.given_orders.give_order",
        "shelf.events.retire",
    } <= set(MARKED)


@pytest.mark.usefixtures("as_viewer")
@pytest.mark.parametrize("name", sorted(MARKED))
def test_a_viewer_is_refused_before_the_action_looks_at_anything(name: str) -> None:
    with pytest.raises(FedPromptError, match=r"needs the role (engineer|operator); yours is viewer"):
        MARKED[name]()


@pytest.mark.usefixtures("as_viewer")
@pytest.mark.parametrize("kind", [one.name for one in kinds() if one.name not in READING])
def test_a_viewer_starts_no_job_that_does_something(ws: Workspace, kind: str) -> None:
    with pytest.raises(FedPromptError, match="needs the role"):
        submit(ws, kind, {})
    assert ws.bank.jobs() == ()


def test_a_viewer_stops_and_drops_no_job_of_others(ws: Workspace) -> None:
    ws.bank.add_job("j-1", "federate", {})
    before = visitors(lambda: VIEWER)
    try:
        for action in (cancel, forget):
            with pytest.raises(FedPromptError, match="needs the role operator"):
                action(ws, "j-1")
    finally:
        visitors(before)
    assert ws.bank.job("j-1").state == "queued"


def test_a_viewer_tags_approves_declines_and_removes_nothing(ws: Workspace) -> None:
    prompt = ws.bank.record_prompt(Prompt(Template("kind", text="{text}?")), study=None, origin="import")
    asking = ask_for(ws, prompt, "kind@production", ADA)
    for refused in (
        lambda: give_tag(ws, prompt, "kind@staging", VIEWER),
        lambda: drop_tag(ws, "kind@staging", VIEWER),
        lambda: approve_tag(ws, asking.id, VIEWER),
        lambda: decline_tag(ws, asking.id, VIEWER),
    ):
        with pytest.raises(FedPromptError, match="needs the role"):
            refused()
    assert ws.bank.tags() == ()


def test_a_viewer_drops_no_file_on_a_federation_and_changes_no_study(home: Path, ws: Workspace) -> None:
    kept, study = add_set(ws, "clinic", "clinic.csv").path, Path(add_study(ws))
    before = kept.read_bytes(), study.read_bytes()
    write_people(home)
    at = let_in(AppTest.from_file(str(ROOT / "pages" / "federation.py"), default_timeout=60), "Vic")
    assert at.file_uploader(key="federation_files").disabled and at.button(key="federation_keep").disabled
    at.file_uploader(key="federation_files").proto.disabled = False  # as a browser may
    at.file_uploader(key="federation_files").upload("clinic.csv", b"text,answer\nx,y\n", "text/csv").run()
    assert "Scoring and tuning needs the role engineer; yours is viewer" in str([one.value for one in at.caption])
    assert (kept.read_bytes(), study.read_bytes()) == before


def test_the_app_says_who_acts_and_nobody_may_do_anything_who_has_not_signed_in() -> None:
    import app.visitor
    from fedprompt.workspace import acting

    assert acting._who[0] is app.visitor.person

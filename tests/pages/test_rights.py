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
from tests.coded import coded
from tests.pages.evaluation import add_set, add_study
from tests.pages.messages import messages
from tests.pages.visitors import let_in, write_people

ROOT = Path(__file__).parents[2]
ROOM = "fedprompt.workspace."
VIEWER = Person("Vic", "", "https://id.example.org\nvic", "viewer")
ADA = Person("Ada", "", "https://id.example.org\nada", "operator")

# Each of these reads and returns, or works out something from what it is given.
LOOKS = {
    "DraftFolder.read",
    "DraftFolder.version",
    "EnrolledSite.accepted",
    "EnrolledSite.the_study",
    "GivenOrder.shown",
    "HeldKey.release",  # the session's own key
    "HubFolder.sites",
    "MapView.among",
    "MapView.best",
    "MapView.counts",
    "Travelled.of",
    "MapView.inside",
    "MapView.rows",
    "MapView.shown",
    "Outline.holds",
    "Person.require",
    "Person.why_not",
    "RankingFilters.filter",
    "Reading.mapping_of",
    "Variant.own_rows",
    "Traces.formatException",  # cuts what a log would quote
    "TrialFolder.append",  # by the job, which was let start
    "TrialFolder.cells",
    "TrialFolder.live",
    "TrialFolder.prune",  # goes by age alone
    "TrialFolder.ratings",
    "TrialFolder.request",
    "TrialFolder.runs",
    "TrialFolder.sets",
    "TrialFolder.tell",  # by the job
    "Variant.made",
    "WorkbenchFolder.open",
    "WorkbenchFolder.saved",
    "Workspace.close",
    "addresses_of",
    "as_sent",
    "askable",
    "asked_by",
    "bank_variant",
    "bests_of_studies",
    "body_of",
    "by_label",
    "can_search",
    "can_try",
    "code_of",
    "compare",
    "confusion",
    "configured_servers",
    "contenders",
    "conversion_of",
    "deed_of",
    "default_home",
    "digest_known",
    "draft_of",
    "enrolled",
    "enrolled_sites",
    "entry_of",  # the server's own
    "estimate_for",
    "evaluation_sets",
    "example_sources",
    "federation_view",
    "federations",
    "fieldless",
    "find_home",
    "finding_of",
    "formats",
    "from_json",
    "examples_of",
    "fullest_study",
    "gains_of",
    "has_answered",
    "histories",
    "is_alive",
    "html_report",
    "is_fresh",
    "is_loopback",
    "is_missing",
    "kept_studies",
    "labelled",
    "judge_name",
    "judge_settings",
    "lacking_columns",
    "ledger_files",
    "left_out",
    "lineage",
    "machine_person",
    "map_sizes",
    "map_view",
    "means_of_prompts",
    "nearest",
    "newest_job",
    "open_workspace",
    "outdated_exports",
    "overview",
    "own_site",
    "owner_folder",
    "pack_files",
    "pair_tests",
    "packs_here",
    "person_of",
    "points",
    "promised",
    "prompt_tokens",
    "provenance",
    "ranked_row",
    "ranking_csv",
    "ranking_page",
    "contributions_of",
    "own_audits",
    "read_ledger",
    "read_numbers",
    "read_rules",
    "read_source",
    "read_trial",
    "recent",
    "rewriting_of",
    "reference_of",
    "ring",
    "rubric_bill",
    "rubrics",
    "runs_now",
    "same_work",
    "settings_grid",
    "settings_of",
    "share_interval",
    "sign_in_of",
    "signed_by",
    "site_report",
    "site_status",
    "standing_of",
    "study_of",
    "study_with",
    "study_yaml",
    "swept_of",
    "tagged_with",
    "told_calls",
    "totals_of",
    "transfer_of",
    "tuning_view",
    "typed_filter",
    "unfit_yaml",
    "updates_of",
    "used_by",
    "visitors",  # names who says who acts: the app, once
    "wait",
    "waiting",
    "why_not_approve",
    "why_not_install",
    "why_unreadable",
    "with_changes",
    "with_examples",
    "without_refused",
    "word_sets",
    "working_now",
    "written_notes",
}
# These ask by the job's kind, or by the person that they are given; each has a test of its own below.
BY_KIND = {"cancel", "forget", "submit"}
BY_PERSON = {"approve_tag", "decline_tag", "drop_tag", "give_tag"}
# Everything else of the bank that a page asks is refused: what writes to it goes through an action.
OF_THE_BANK = {
    "adapted",
    "adapted_row",
    "all_adapted",
    "best_sites",
    "count_prompts",
    "events",
    "is_adapted",
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
    "scores",
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
                members = methods(value) if inspect.isclass(value) else [("", value)] * inspect.isfunction(value)
                for method, member in members:
                    name = f"{one.name}.{method}" if method else one.name
                    assert found.setdefault(name, member) is member, f"two functions are called {name}"
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
        "give_order",
        "import_file",
        "keep_file",
        "keep_reading",
        "keep_study",
        "keep_variant",
        "remove_file",
        "retire",
    } <= set(MARKED)


@pytest.mark.usefixtures("as_viewer")
@pytest.mark.parametrize("name", sorted(MARKED))
def test_a_viewer_is_refused_before_the_action_looks_at_anything(name: str) -> None:
    with pytest.raises(FedPromptError, match=r"engineer|operator", check=coded("not-allowed")):
        MARKED[name]()


@pytest.mark.usefixtures("as_viewer")
@pytest.mark.parametrize("kind", [one.name for one in kinds() if one.name not in READING])
def test_a_viewer_starts_no_job_that_does_something(ws: Workspace, kind: str) -> None:
    with pytest.raises(FedPromptError, check=coded("not-allowed")):
        submit(ws, kind, {})
    assert ws.bank.jobs() == ()


def test_a_viewer_stops_and_drops_no_job_of_others(ws: Workspace) -> None:
    ws.bank.add_job("j-1", "federate", {})
    before = visitors(lambda: VIEWER)
    try:
        for action in (cancel, forget):
            with pytest.raises(FedPromptError, match="operator", check=coded("not-allowed")):
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
        with pytest.raises(FedPromptError, check=coded("not-allowed")):
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
    assert "barred_tune" in messages(at)
    assert (kept.read_bytes(), study.read_bytes()) == before


def test_the_app_says_who_acts_and_nobody_may_do_anything_who_has_not_signed_in() -> None:
    import app.visitor
    from fedprompt.workspace import acting

    assert acting._who[0] is app.visitor.person

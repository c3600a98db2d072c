"""Use shared prompts: a pack and a file or none, put to work in a job; what came of it is told, tried and kept."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.shared.own_cases import NO_ANSWER, NONE
from fedprompt.workspace.exchange.packs_here import keep_dropped, packs_here
from fedprompt.workspace.workspace import Workspace
from tests.pages.messages import messages
from tests.pages.visitors import let_in, write_people
from tests.scripted_sites import cases
from tests.workspace.exchange.packs import write

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
ROOT = Path(__file__).parents[2]
CALLED = {"positive": "good", "negative": "Negative"}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("pack") / "pack.zip").read_bytes()


@pytest.fixture
def pack(ws: Workspace, content: bytes) -> str:
    """A pack for the scripted model, dropped here: it is the first, so it is chosen."""
    return keep_dropped(ws, "sentiment.zip", content).reference


def table(count: int = 16, called: dict[str, str] | None = None) -> bytes:
    lines = [f"{one.fields['text']},{(called or {}).get(one.answer, one.answer)}" for one in cases("shop", count)]
    return ("\n".join(["review,mood", *lines]) + "\n").encode()


def drop(at: AppTest, data: bytes) -> AppTest:
    at.file_uploader(key="shared_file").upload("shop.csv", data, "text/csv").run()
    assert not at.exception
    return at


def box(at: AppTest, ending: str) -> Any:
    return next(one for one in at.selectbox if str(one.key).endswith(ending))


def start(at: AppTest) -> AppTest:
    at.button(key="shared_start").click().run()
    assert not at.exception and not at.error
    return at


def adapted(ws: Workspace) -> dict[str, Any]:
    """Return what the last job found."""
    job = next(one for one in ws.bank.jobs() if one.kind == "adapt")
    assert job.state == "done" and job.result is not None
    return dict(job.result)


def keys(at: AppTest) -> set[str]:
    return {str(one.key) for one in at.button}


@pytest.mark.usefixtures("pack")
def test_nothing_starts_before_a_file_is_there_or_it_is_said_that_there_is_none(open_page: Open, ws: Workspace) -> None:
    at = open_page("shared")
    assert at.button(key="shared_start").disabled
    at.segmented_control(key="shared_which").set_value(NONE).run()
    assert not at.button(key="shared_start").disabled and ws.bank.jobs() == ()


def test_without_a_case_the_prompts_are_mixed_and_nothing_is_counted_as_right(
    open_page: Open, ws: Workspace, pack: str
) -> None:
    at = open_page("shared")
    at.segmented_control(key="shared_which").set_value(NONE).run()
    start(at)
    found = adapted(ws)
    assert (found["n"], found["alone"], found["shared"]) == (0, None, None)
    assert ws.bank.jobs()[0].arguments == {"pack": pack}
    assert [row.name for row in ws.bank.all_adapted()] == ["sentiment@home"]
    assert found["at"] is None and not at.metric  # what 16 cases gave says nothing of none


@pytest.mark.usefixtures("pack")
def test_classes_that_the_file_calls_otherwise_are_asked_for_and_none_is_guessed(
    open_page: Open, ws: Workspace
) -> None:
    at = drop(open_page("shared"), table(called=CALLED))
    assert (box(at, "_text").value, box(at, "_answer").value) == ("review", "mood")
    # "Negative" is "negative" but for case.
    assert len([one for one in at.selectbox if "_means_" in str(one.key)]) == 1
    assert box(at, "_means_0").value is None and at.button(key="shared_start").disabled
    box(at, "_means_0").select("positive").run()
    start(at)
    asked = next(job.arguments for job in ws.bank.jobs() if job.kind == "adapt")
    assert (asked["words"], asked["mapping"]) == ({"good": "positive"}, {"text": "review", "answer": "mood"})
    found = adapted(ws)
    assert (found["n"], found["counts"]) == (16, {"positive": 8, "negative": 8})
    told = [(one.label, one.value) for one in at.metric]
    assert [value for _, value in told] == [f"{found['alone']} of 16", f"{found['shared']} of 16", "+10.0 points"]


@pytest.mark.usefixtures("pack")
def test_texts_without_answers_say_only_how_frequent_classes_are(open_page: Open, ws: Workspace) -> None:
    at = drop(open_page("shared"), table())
    box(at, "_answer").select(NO_ANSWER).run()
    start(at)
    asked = next(job.arguments for job in ws.bank.jobs() if job.kind == "adapt")
    assert asked["mapping"] == {"text": "review"} and "data" not in asked
    assert (adapted(ws)["n"], adapted(ws)["unlabelled"]) == (0, 16)


@pytest.mark.usefixtures("pack")
def test_a_column_of_texts_is_not_taken_for_the_answer(open_page: Open) -> None:
    at = drop(open_page("shared"), table())
    box(at, "_text").select("mood").run()
    box(at, "_answer").select("review").run()
    assert at.button(key="shared_start").disabled and not at.exception


@pytest.mark.usefixtures("pack")
def test_a_result_shows_which_prompts_count_how_much_and_the_measured_curve(open_page: Open, ws: Workspace) -> None:
    at = start(drop(open_page("shared"), table()))
    charts = [chart.proto.spec for chart in at.get("vega_lite_chart")]
    weights = [json.loads(spec) for spec in charts if '"weight"' in spec]
    assert len(weights) == 1 and len([spec for spec in charts if "symlog" in spec]) == 2  # one on the pack's card
    found = adapted(ws)
    assert sum(one["weight"] for one in found["members"]) == pytest.approx(1.0)
    classes = next(one.value for one in at.table if "Class" in one.value)
    assert dict(zip(classes["Class"], classes["Your cases"], strict=True)) == {"positive": "8", "negative": "8"}


@pytest.mark.usefixtures("pack")
def test_a_result_is_still_there_after_a_reload(open_page: Open) -> None:
    start(drop(open_page("shared"), table()))
    at = open_page("shared")
    assert len(at.metric) == 3 and {"shared_run", "shared_keep", "shared_take"} <= keys(at)


@pytest.mark.usefixtures("pack")
def test_it_is_tried_on_a_text_at_once_which_is_not_kept_in_the_bank(open_page: Open, ws: Workspace) -> None:
    at = start(drop(open_page("shared"), table()))
    at.text_area(key="shared_field_text").input("quixotry was wonderful").run()
    at.button(key="shared_run").click().run()
    assert not at.exception and not at.error
    assert "answer_0_0" in messages(at)
    assert "quixotry was" not in json.dumps([[job.arguments, job.result] for job in ws.bank.jobs()])


@pytest.mark.usefixtures("pack")
def test_it_is_kept_under_a_name_of_its_own_too(open_page: Open, ws: Workspace) -> None:
    at = start(drop(open_page("shared"), table()))
    at.text_input(key="shared_name").input("spring")
    at.button(key="shared_keep").click().run()
    assert not at.exception and not at.error
    kept = {row.name: row.id for row in ws.bank.all_adapted()}
    assert set(kept) == {"sentiment@home", "sentiment@spring"} and len(set(kept.values())) == 1


@pytest.mark.usefixtures("pack")
def test_it_is_taken_away_in_a_format_that_holds_it(open_page: Open, ws: Workspace) -> None:
    at = start(drop(open_page("shared"), table()))
    at.button(key="shared_take").click().run()
    at.button(key="bank_look_bundle").click().run()
    at.button(key="bank_write").click().run()
    assert not at.exception and not at.error
    written = [path.name for path in ws.home.exports.iterdir()]
    assert len(written) == 1 and written[0].endswith("-bundle.zip")


def test_a_pack_is_dropped_checked_and_chosen(open_page: Open, ws: Workspace, content: bytes) -> None:
    at = open_page("shared")
    at.file_uploader(key="shared_pack_file").upload("mine.zip", content, "application/zip").run()
    assert not at.error
    (dropped,) = (one for one in packs_here(ws) if one.kind == "dropped")
    assert at.session_state["shared_pack"] == dropped.reference
    at.button(key="shared_remove_0").click().run()
    assert [one for one in packs_here(ws) if one.kind == "dropped"] == []


def test_a_file_that_is_no_pack_is_a_sentence_and_is_not_kept(open_page: Open, ws: Workspace) -> None:
    at = open_page("shared")
    at.file_uploader(key="shared_pack_file").upload("mine.zip", b"PK", "application/zip").run()
    assert len(at.error) == 1 and not at.exception
    assert [one for one in packs_here(ws) if one.kind == "dropped"] == []


@pytest.mark.usefixtures("pack")
def test_work_that_runs_is_shown_with_its_time_and_stops(open_page: Open, ws: Workspace) -> None:
    ws.bank.add_job("j-1", "adapt", {"pack": "public:sentiment"})
    ws.bank.claim_job("j-1", os.getpid())
    told = {"message": "5 prompts on 16 texts", "done": 8.0, "total": 16.0, "seconds_left": 30.0, "detail": {}}
    ws.bank.update_job("j-1", told)
    at = open_page("shared")
    assert (at.progress[0].value, at.progress[0].text) == (50, "5 prompts on 16 texts")
    assert "shared_start" not in keys(at)
    at.button(key="shared_stop").click().run()
    assert ws.bank.is_cancelled("j-1")


@pytest.mark.usefixtures("pack")
def test_where_the_model_is_missing_its_button_is_there(open_page: Open, ws: Workspace) -> None:
    ws.bank.add_job("j-1", "adapt", {"pack": "public:sentiment"})
    ws.bank.end_job("j-1", "failed", {"code": "asset-not-ready"}, "the model is not here yet")
    at = open_page("shared")
    assert {"shared_assets", "shared_again", "shared_start"} <= keys(at)


def test_a_hub_has_no_cases_to_adapt_to(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    at = open_page("shared")
    assert len(at.info) == 1 and not at.button and not at.get("file_uploader")


@pytest.mark.usefixtures("pack")
def test_a_viewer_looks_and_starts_nothing(home: Path, ws: Workspace, content: bytes) -> None:
    write_people(home)
    at = let_in(AppTest.from_file(str(ROOT / "pages" / "shared.py"), default_timeout=60), "Vic")
    assert at.button(key="shared_start").disabled
    assert at.file_uploader(key="shared_file").disabled and at.file_uploader(key="shared_pack_file").disabled
    at.file_uploader(key="shared_pack_file").proto.disabled = False  # as a browser may
    at.file_uploader(key="shared_pack_file").upload("other.zip", content, "application/zip").run()
    assert len([one for one in packs_here(ws) if one.kind == "dropped"]) == 1


def test_overview_has_a_button_for_each_role(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "overview_shared" in keys(open_page("overview"))
    monkeypatch.setenv("FEDPROMPT_ROLE", "hub")
    assert "overview_shared" not in keys(open_page("overview"))

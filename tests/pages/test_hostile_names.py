"""Names that came from elsewhere, of prompts, sites, files and rows: none is drawn as markup or becomes a link."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fedprompt.evaluation.drafting import dump_study
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Demonstrations, Template
from fedprompt.study.score import Comparison, Score
from fedprompt.workspace.cases.evaluation_sets import Reading, evaluation_sets, keep_file, keep_reading
from fedprompt.workspace.cases.study_draft import keep_study
from fedprompt.workspace.demo.run import demo_study
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.playground.trial_files import owner_folder
from fedprompt.workspace.shelf.events import retire, tag
from fedprompt.workspace.workspace import Workspace
from tests.pages.evaluation import add_set

pytestmark = pytest.mark.whole

Open = Callable[..., AppTest]
HOSTILE = ("[x](http://evil)", "http://evil", "<b>bold</b>", ":red[x]", "$x$", "www.evil.org")


def drawn(at: AppTest) -> Iterator[str]:
    """Return every text of a page that Streamlit draws as Markdown: of elements, of labels, of tables."""
    for kind in ("markdown", "caption", "info", "warning", "error", "success", "title", "header", "subheader", "toast"):
        yield from (str(one.value) for one in at.get(kind))
    for group in at.get("button_group"):  # pills and segments
        yield from (one.content for one in group.proto.options)
    yield from (one.label for one in at.expander)
    yield from (one.proto.text for one in at.get("progress"))
    for metric in at.metric:
        yield from (metric.label, str(metric.value), str(metric.delta), metric.help or "")
    for kind in ("button", "checkbox", "selectbox", "text_input", "text_area", "toggle", "number_input", "multiselect"):
        yield from (one.label + (getattr(one, "help", "") or "") for one in at.get(kind))
    yield from (one.proto.label for one in at.get("download_button"))
    for table in at.table:
        yield from map(str, (*table.value.index, *table.value.columns, *table.value.to_numpy().ravel()))


def assert_harmless(at: AppTest) -> None:
    assert not at.exception
    for text in drawn(at):
        assert not [name for name in HOSTILE if name in text], text
    assert not [one for one in at.html if "<b>bold</b>" in one.value]


@pytest.fixture
def prompts(ws: Workspace) -> list[str]:
    """Prompts of hostile names, compared at sites of hostile names; the last is not scored everywhere."""
    study, info = demo_study(DemoSettings(task="sentiment", model="scripted")), ScriptedModel().info
    digest, run = study.digest(info.digest), "r1:" + "0" * 32
    ws.bank.record_study(study, digest, info.digest)
    ws.bank.start_run(run, kind="score", study=digest, settings={})
    words = {"positive": " positive", "negative": " negative"}
    ids = [
        ws.bank.record_prompt(Prompt(Template(name, f"{n}: {{text}}", None, words)), study=digest, origin="study")
        for n, name in enumerate(HOSTILE)
    ]
    whole: dict[str, Any] = {"split": "validation", "n": 100, "groups": 100}
    one = {**whole, "metric": "accuracy", "total": 50, "squares": 50, "group_squares": 25}
    two = {**whole, "total": 22, "squares": 26, "group_squares": 26.0, "better": 24, "worse": 2}
    for place, site in enumerate(HOSTILE[:4]):
        scored = ids if place else ids[:-1]
        ws.bank.record_scores(run, site, [Score.model_validate({**one, "prompt": id}) for id in scored])
        pairs = [Comparison.model_validate({**two, "first": ids[0], "second": other}) for other in ids[1:]]
        ws.bank.record_comparisons(run, site, pairs)
    return ids


@pytest.mark.parametrize("picture", ["sites", "forest", "duel", "calibration", "pareto"])
def test_compare_draws_names_of_prompts_and_sites_as_text(open_page: Open, prompts: list[str], picture: str) -> None:
    at = open_page("compare", *prompts)
    at.segmented_control(key="compare_picture").set_value(picture).run()
    assert sum(":material/balance:" in one.value for one in at.markdown) == 5
    assert_harmless(at)


def test_own_rows_and_what_goes_wrong_with_them_are_drawn_as_text(
    open_page: Open, prompts: list[str], ws: Workspace
) -> None:
    shown = Template(HOSTILE[0], "{demonstrations}{text}:", None, None, Demonstrations(1))
    other = ws.bank.record_prompt(Prompt(shown), study=None, origin="import")
    at = open_page("compare", prompts[0], other)
    at.segmented_control(key="compare_how").set_value("From a table").run()
    rows = "\n".join(f'"{text}","{text}"' for text in HOSTILE)
    at.text_area(key="compare_paste").set_value(f"text,answer\n{rows}").run()
    at.number_input(key="compare_row").set_value(1).run()
    assert at.button(key="compare_run").disabled  # there are no examples to show
    assert_harmless(at)
    at = open_page("compare", prompts[0], prompts[1])
    at.segmented_control(key="compare_how").set_value("From a table").run()
    at.text_area(key="compare_paste").set_value(f"text,answer\n{rows}").run()
    at.button(key="compare_run").click().run()
    assert_harmless(at)


def test_the_playground_draws_names_rows_and_runs_as_text(open_page: Open, prompts: list[str], ws: Workspace) -> None:
    at = open_page("playground", prompts[0])
    for text in HOSTILE:
        at.text_area(key="playground_field_text").set_value(text).run()
        at.button(key="playground_run").click().run()
    assert len(owner_folder(ws.home, "").runs()) == len(HOSTILE)
    assert_harmless(at)
    at.session_state["playground_problem"] = HOSTILE[0]
    at.query_params["run"] = "[x](http://evil)"
    at.run()
    assert at.warning
    assert_harmless(at)


def test_the_test_s_numbers_and_a_wait_draw_sites_and_files_as_text() -> None:
    def page() -> None:
        import streamlit as st

        from app.panels.front.numbers import draw_numbers
        from app.panels.runs.running import _draw

        names = ("[x](http://evil)", "http://evil", "<b>bold</b>", ":red[x]", "$x$", "www.evil.org")
        entry = {"mean": 0.5, "low": 0.4, "high": 0.6, "worst": 0.5, "by_site": dict.fromkeys(names, 0.5)}
        draw_numbers({"test": {"manual": entry, "federated": entry}})
        for name in names:
            _draw(st.empty(), {"message": name}, f"Reading {name}")

    at = AppTest.from_function(page).run()
    assert len(at.get("progress")) == len(HOSTILE) and at.table
    assert_harmless(at)


def test_a_file_of_hostile_columns_and_labels_is_drawn_as_text(open_page: Open, ws: Workspace) -> None:
    columns = ("note", *HOSTILE, "kind")
    lines = [[f"case {n}", *(f"{name} {n}" for name in HOSTILE), HOSTILE[n % 4]] for n in range(40)]
    content = io.StringIO()
    csv.writer(content).writerows([columns, *lines])
    path = keep_file(ws.home, "this-site", "odd.csv", content.getvalue().encode())
    at = open_page("data")
    assert at.multiselect and not at.error
    assert_harmless(at)
    (found,) = evaluation_sets(ws.home)
    assert found.path == path
    labels = HOSTILE[:4]
    keep_reading(found, Reading(fields={"note": HOSTILE[0]}, answer="kind", labels=labels, header=True))
    for page in ("data", "new_study", "tune", "federation"):
        assert_harmless(open_page(page))


def test_a_study_of_hostile_labels_and_words_is_drawn_as_text(open_page: Open, ws: Workspace) -> None:
    found = add_set(ws)
    keep_reading(found, Reading(fields={"text": "text"}, answer="answer", labels=HOSTILE))
    body = {
        "study": "odd",
        "model": "scripted",
        "fields": ["text"],
        "answer": {"type": "choice", "labels": list(HOSTILE[:-1])},
        "templates": [{"name": "plain", "text": "{text}:", "words": {one: f" {one}" for one in HOSTILE[:-1]}}],
        "soft": {"template": "{text}{soft}", "tokens": 2, "init": HOSTILE[0]},
    }
    keep_study(ws.home, dump_study(body))
    at = open_page("new_study")
    at.selectbox(key="new_study_source").set_value("odd").run()
    assert at.warning  # a label is missing
    assert_harmless(at)
    for page in ("tune", "federation"):
        assert_harmless(open_page(page))


def test_rankings_the_map_and_the_bank_draw_names_of_prompts_and_sites_as_text(
    open_page: Open, prompts: list[str], ws: Workspace
) -> None:
    for page in ("overview", "leaderboard", "map", "models", "trust"):
        assert_harmless(open_page(page))
    tag(ws, prompts[0], f"{HOSTILE[2]}@staging", by=HOSTILE[0], confirmed=True)
    retire(ws, prompts[1], note=HOSTILE[0], by=HOSTILE[1])
    for prompt in prompts:
        at = open_page("bank", prompt)
        assert at.table
        assert_harmless(at)

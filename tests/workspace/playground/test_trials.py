"""A run computes what has no good result yet, judges it, and leaves what was typed in the visitor's files alone."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedprompt.errors import JobError, PromptError, StudyError
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.template import Message, Template
from fedprompt.stopping import Stopped, StopToken
from fedprompt.study.files import parse_study
from fedprompt.workspace.answers.contributions import MOST, contributions
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.cases.converting import conversion_of
from fedprompt.workspace.home import Home
from fedprompt.workspace.playground.sweeps import read_numbers, settings_grid, word_sets
from fedprompt.workspace.playground.taken_further import study_of, study_with
from fedprompt.workspace.playground.trial_files import KEPT_DAYS, MOST_RUNS, TrialFolder, owner_folder, prune_runs
from fedprompt.workspace.playground.trial_totals import totals_of
from fedprompt.workspace.playground.trials import Check, Judged, Trial, TrialCell, TrialRequest, read_trial, run_trial
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import Workspace
from tests.chat_server import ChatServer, serve, write_models
from tests.coded import coded
from tests.new_bank import new_workspace

pytestmark = pytest.mark.whole

RUN = "ab" * 16
PLAIN = Template("plain", text="{text}\nMood:")


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as workspace:
        yield workspace


@pytest.fixture
def folder(ws: Workspace) -> TrialFolder:
    return owner_folder(ws.home, "")


def variant(template: Template = PLAIN, **more: Any) -> dict[str, Any]:
    return {"template": template.canonical(), "labels": ["positive", "negative"], "model": "scripted", **more}


def body(*variants: dict[str, Any], rows: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    return TrialRequest.parse({"variants": variants, "rows": rows, **more}).model_dump(mode="json")


def test_every_variant_meets_every_row_and_is_judged_with_a_reason(ws: Workspace, folder: TrialFolder) -> None:
    rows = [{"text": "a lovely day"}, {"text": "an awful day"}]
    checks = [{"scorer": "exact"}, {"scorer": "exact", "negate": True}]
    folder.add(RUN, body(variant(), variant(generate=True), rows=rows, expected=["positive", ""], checks=checks))
    run_trial(ws, folder, RUN)
    trial = read_trial(folder, RUN)
    assert set(trial.cells) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    first, second = trial.cells[0, 0], trial.cells[0, 1]
    assert [one.passed for one in first.judged] == [True, False]
    assert [one.passed for one in second.judged] == [None, None]
    assert "no answer to compare with" in second.judged[0].reason
    assert trial.cells[1, 0].written > 0 and trial.cells[1, 0].generated


def test_a_second_go_runs_failures_and_what_is_missing_alone(ws: Workspace, folder: TrialFolder) -> None:
    folder.add(RUN, body(variant(), variant(model="nowhere"), rows=[{"text": "good"}, {"text": "good " * 9000}]))
    assert run_trial(ws, folder, RUN).cells == 4
    assert read_trial(folder, RUN).failures == 3
    assert run_trial(ws, folder, RUN).cells == 3
    assert sum(line["row"] == line["variant"] == 0 for line in folder.cells(RUN)) == 1


def test_a_run_that_is_stopped_keeps_the_answers_it_has(ws: Workspace, folder: TrialFolder) -> None:
    stop = StopToken(lambda: "cancelled" if len(read_trial(folder, RUN).cells) == 2 else None, every=0)
    folder.add(RUN, body(variant(), rows=[{"text": str(n)} for n in range(5)]))
    with pytest.raises(Stopped):
        run_trial(ws, folder, RUN, stop=stop)
    assert read_trial(folder, RUN).missing == 3
    run_trial(ws, folder, RUN)
    assert read_trial(folder, RUN).missing == 0


def test_text_is_told_while_it_is_written_and_gone_afterwards(ws: Workspace, folder: TrialFolder) -> None:
    heard: list[str] = []
    folder.add(RUN, body(variant(generate=True), rows=[{"text": "good"}]))

    def listen(progress: Progress) -> None:
        heard.extend(read_trial(folder, RUN).live.values())

    run_trial(ws, folder, RUN, listen)
    (cell,) = read_trial(folder, RUN).cells.values()
    assert heard and (cell.generated or "").startswith(heard[0])
    assert read_trial(folder, RUN).live == {}


@pytest.fixture
def server(ws: Workspace) -> Iterator[ChatServer]:
    with serve(lambda body: " ".join(["word"] * 20), between=0.02) as state:
        price = "price = {input = 1.0, output = 2.0}"
        write_models(ws.home.path, state.url, f"concurrency = 2\n{price}")
        yield state


def test_a_chat_model_s_text_is_told_while_it_comes_and_counted_with_its_cost(
    ws: Workspace, folder: TrialFolder, server: ChatServer
) -> None:
    seen: dict[tuple[int, int], list[str]] = {}
    chat = variant(model="chat:local", labels=[], generate=True)
    folder.add(RUN, body(chat, rows=[{"text": str(n)} for n in range(3)]))

    def listen(progress: Progress) -> None:
        for key, text in read_trial(folder, RUN).live.items():
            seen.setdefault(key, []).append(text)

    run_trial(ws, folder, RUN, listen)
    whole = " ".join(["word"] * 20)
    assert {cell.generated for cell in read_trial(folder, RUN).cells.values()} == {whole}
    assert any(0 < len(text) < len(whole) and whole.startswith(text) for text in seen[0, 0])
    assert {(0, 1), (0, 2)} <= set(seen)  # two rows at once are both told
    # By hand: "0\nMood:" is 2 words read, 20 are written; at 1 and 2 USD a million tokens 42 millionths.
    cell = read_trial(folder, RUN).cells[0, 0]
    assert (cell.read, cell.written, cell.cost, cell.currency) == (2, 20, pytest.approx(42e-6), "USD")


def test_a_stop_in_the_middle_of_a_chat_model_s_answer_ends_it_there(
    ws: Workspace, folder: TrialFolder, server: ChatServer
) -> None:
    stop = StopToken(lambda: "cancelled" if any(read_trial(folder, RUN).live.values()) else None, every=0)
    server.answer = lambda body: "word " * 500
    folder.add(RUN, body(variant(model="chat:local", labels=[], generate=True), rows=[{"text": "x"}]))
    with pytest.raises(Stopped):
        run_trial(ws, folder, RUN, stop=stop)
    assert server.pieces < 250 and read_trial(folder, RUN).missing == 1


def test_files_are_their_owner_s_alone_and_a_run_s_name_cannot_climb(ws: Workspace, folder: TrialFolder) -> None:
    folder.add(RUN, body(variant(), rows=[{"text": "private"}]))
    run_trial(ws, folder, RUN)
    made = list((ws.home.path / "playground").rglob("*"))
    assert made and all(path.stat().st_mode & 0o077 == 0 for path in made)
    for wrong in ("../x", "a" * 31, "", "/etc"):
        with pytest.raises(JobError, check=coded("no-such-run")):
            folder.request(wrong)
    with pytest.raises(JobError, check=coded("no-such-owner")):
        TrialFolder(ws.home, "../x")


def test_visitors_who_sign_in_have_folders_of_their_own(ws: Workspace, folder: TrialFolder) -> None:
    folder.add(RUN, body(variant(), rows=[{"text": "mine"}]))
    with pytest.raises(JobError, check=coded("run-gone")):
        owner_folder(ws.home, "someone@example.com").request(RUN)


def test_old_loose_and_surplus_runs_are_deleted(tmp_path: Path) -> None:
    folder = owner_folder(Home(tmp_path), "")
    now = time.time()
    ages = {"f" * 32: 0, "e" * 32: KEPT_DAYS * 86_400 + 60, "d" * 32: 7200}
    for name, age in ages.items():
        folder.add(name, {"keep": name[0] != "d"})
        path = tmp_path / "playground" / "local" / "runs" / name / "request.json"
        os.utime(path, (now - age, now - age))
    folder.prune()
    assert folder.runs() == ("f" * 32,)
    for number in range(MOST_RUNS + 5):
        folder.add(f"{number:032x}", {"keep": True})
    folder.prune()
    assert len(folder.runs()) == MOST_RUNS


def test_every_visitor_s_old_runs_are_deleted_while_nobody_starts_another(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for who in ("", "someone@example.com"):
        owner_folder(home, who).add(RUN, {"keep": False})
    for path in (tmp_path / "playground").rglob("request.json"):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    prune_runs(home)
    assert [owner_folder(home, who).runs() for who in ("", "someone@example.com")] == [(), ()]


def test_totals_are_means_of_what_was_answered_and_of_what_was_judged() -> None:
    def cell(row: int, seconds: float, passed: bool | None, error: str | None = None) -> TrialCell:
        judged = () if passed is None else (Judged(scorer="exact", value=float(passed), passed=passed, reason="x"),)
        return TrialCell(
            text="x", variant=0, row=row, seconds=seconds, judged=judged, error=error, read=10, written=row, tokens=7
        )

    request = TrialRequest.parse({"variants": [variant()], "rows": [{"text": "x"}] * 4})
    cells = [cell(0, 1.0, True), cell(1, 2.0, False), cell(2, 6.0, None), cell(3, 9.0, None, "broke")]
    found = totals_of(Trial("r", request, {(0, one.row): one for one in cells}, {}, ""), 0)
    assert (found.answered, found.failed, found.judged, found.passed) == (3, 1, 2, 0.5)
    # (1 + 2 + 6) / 3 seconds, and (10 + 11 + 12) / 3 tokens read and written
    assert (found.seconds, found.tokens_each, found.tokens) == (3.0, 11.0, 21)


@pytest.mark.parametrize(
    ("more", "code", "names"),
    [
        ({"rows": []}, "no-cases", ""),
        ({"rows": [{"text": "x"}] * 1001}, "too-many", "1,000"),
        ({"colour": "red"}, "not-well-formed", "colour"),
        ({"variants": [variant(max_tokens=0)]}, "not-well-formed", "max_tokens"),
    ],
)
def test_a_malformed_request_is_refused(more: dict[str, Any], code: str, names: str) -> None:
    with pytest.raises(JobError, check=coded(code, names=names)):
        TrialRequest.parse({"variants": [variant()], "rows": [{"text": "x"}]} | more)


def test_a_word_s_contribution_is_the_log_odds_that_go_without_it() -> None:
    model, words = ScriptedModel(), (" positive", " negative")
    rendered = PLAIN.render({"text": "a wonderful <b>film</b>"})
    found = contributions(model, rendered, words, 0, None)
    assert "".join(piece for piece, _ in found) == rendered.text()
    without = PLAIN.render({"text": "a <b>film</b>"})
    logs = model.choices([ChoiceQuery(one, words) for one in (rendered, without)]).loglikelihoods
    wanted = (logs[0][0] - logs[0][1]) - (logs[1][0] - logs[1][1])
    assert dict(found)["wonderful"] == pytest.approx(wanted)
    assert wanted > 0


def test_words_of_a_long_prompt_are_left_out_in_groups_and_none_is_lost() -> None:
    rendered = Template("chat", messages=(Message("system", "Label."), Message("user", "{text}"))).render(
        {"text": " ".join(f"w{n}" for n in range(500))}
    )
    found = contributions(ScriptedModel(), rendered, ("positive", "negative"), 1, None)
    assert "".join(piece for piece, _ in found) == rendered.text()
    assert 0 < sum(value is not None for _, value in found) <= MOST + 2


def test_greedy_decoding_is_swept_once_and_too_many_runs_are_refused() -> None:
    one = Variant.model_validate(variant())
    assert len(settings_grid(one, (0.0, 1.0), (0.5, 1.0), (0, 1, 2))) == 1 + 2 * 3
    with pytest.raises(PromptError, match="100", check=coded("too-many")):
        settings_grid(one, (1.0,), tuple(n / 10 for n in range(1, 11)), tuple(range(10)))
    assert read_numbers("0, 0.5;1 1", "temperatures", 0, 2) == (0.0, 0.5, 1.0)
    with pytest.raises(PromptError, check=coded("not-numbers")):
        read_numbers("0.5", "seeds", 0, 9, whole=True)
    with pytest.raises(PromptError, match="positive, negative", check=coded("word-for-each-label")):
        word_sets(one, [{"positive": " good"}])


@pytest.mark.parametrize(
    ("text", "origin", "wanted"),
    [
        ("Rate {{ text }}", "Jinja", "Rate {text}"),
        ("{{ '{' }}{{text}}", "Jinja", "{{{text}"),
        ('{"q": "{text}", "a": []}', "JSON", '{{"q": "{text}", "a": []}}'),
    ],
)
def test_text_of_other_tools_becomes_a_template(text: str, origin: str, wanted: str) -> None:
    found = conversion_of(text)
    assert found is not None and origin in found.origin
    assert found.templates[0].text == wanted


def test_programs_are_not_converted_and_what_is_a_template_is_left_alone() -> None:
    found = conversion_of("{% for x in y %}{{ x }}{% endfor %}")
    assert found is not None and not found.templates and "more than a variable" in (found.problem or "")
    assert conversion_of("Review: {text} {{plain}}") is not None  # {{plain}} may be meant as a variable: it is offered
    assert conversion_of("Review: {text}") is None
    several = conversion_of("prompts:\n  - 'A {{text}}'\n  - raw: 'B {{text}}'\n")
    assert several is not None and [one.text for one in several.templates] == ["A {text}", "B {text}"]


def test_what_was_tried_makes_a_study_that_reads_back() -> None:
    chat = Template("chat", messages=(Message("user", "{text}?"),))
    pair = [Variant.model_validate(variant(one, name="A")) for one in (PLAIN, chat)]
    study = parse_study(study_of("mine", pair, ()), "the draft")
    assert [one.name for one in study.templates] == ["A", "A 2"]
    assert study.answer.labels == ("positive", "negative")
    free = Variant.model_validate(variant(labels=(), generate=True, max_tokens=9, temperature=0.5, seed=3))
    check = Check.model_validate({"scorer": {"name": "contains"}, "negate": True})
    written = parse_study(study_of("mine", [free], [check]), "the draft").answer
    assert (written.max_tokens, written.temperature, written.seed) == (9, 0.5, 3)
    assert (written.scorers[0].name, written.scorers[0].negate) == ("contains", True)
    with pytest.raises(StudyError, check=coded("different-answers")):
        study_of("mine", [pair[0], free], ())


def test_what_was_tried_is_added_to_a_study_and_what_it_has_stays() -> None:
    chat = Template("chat", messages=(Message("user", "{text}?"),))
    pair = [Variant.model_validate(variant(one, name="A")) for one in (PLAIN, chat)]
    begun = parse_study(study_of("mine", pair[:1], ()) + "rounds: {count: 7}\n", "the draft")
    more = parse_study(study_with(begun, pair), "the draft")
    assert [one.name for one in more.templates] == ["A", "A 2"] and more.rounds.count == 7
    assert more.templates[0] == begun.templates[0]
    with pytest.raises(StudyError, check=coded("nothing-new")):
        study_with(more, pair)
    with pytest.raises(StudyError, match=r"'A'.*positive, negative", check=coded("different-answers")):
        study_with(begun, [Variant.model_validate(variant(chat, name="A", labels=["yes", "no"]))])
    strange = Variant.model_validate(variant(Template("b", text="{body}"), name="B"))
    with pytest.raises(StudyError, match="'body'", check=coded("not-well-formed")):
        study_with(begun, [strange])

"""A run's sums are those that one computes by hand, and demonstrations come from the tune split alone."""

import numpy as np
import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.runner import (
    PromptRun,
    choice_run,
    compare_runs,
    query,
    run_prompts,
    to_score,
    true_labels,
)
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Demonstrations, Template
from fedprompt.study.schema import Answer
from tests.coded import coded

ANSWER = Answer(type="choice", labels=("yes", "no"))
ONE = Prompt(Template("one", text="{text}:").with_words(ANSWER.labels))
TWO = Prompt(Template("two", text="{text}?").with_words(ANSWER.labels))


def case(answer: str, group: str | None = None, text: str = "x", line: int = 2) -> Case:
    return Case({"text": text}, answer, group, line)


CASES = (case("yes"), case("yes"), case("no"), case("no"))
# Probabilities of "yes": 0.92, 0.3, 0.55, 0.5; the answers are yes, no, yes and, of equals, the first: yes.
TABLE = np.log(np.array([[0.92, 0.08], [0.3, 0.7], [0.55, 0.45], [0.5, 0.5]]))


def test_a_choice_is_the_likeliest_label_and_the_first_of_equals() -> None:
    run = choice_run(ONE, TABLE, true_labels(CASES, ANSWER))
    assert run.predicted is not None and run.confidence is not None
    assert run.predicted.tolist() == [0, 1, 0, 0]
    assert run.values.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert run.confidence.tolist() == pytest.approx([0.92, 0.7, 0.55, 0.5])


def test_confidence_does_not_depend_on_the_scale_of_the_likelihoods() -> None:
    run = choice_run(ONE, TABLE - 5000.0, true_labels(CASES, ANSWER))
    assert run.confidence is not None
    assert run.confidence.tolist() == pytest.approx([0.92, 0.7, 0.55, 0.5])


def test_a_scores_sums_by_hand() -> None:
    found = to_score(choice_run(ONE, TABLE, true_labels(CASES, ANSWER)), CASES, "validation", ANSWER)
    assert (found.prompt, found.split, found.metric) == (ONE.id, "validation", "accuracy")
    assert (found.n, found.total, found.squares, found.groups) == (4, 1.0, 1.0, 4)
    # Residuals from 1/4 are 3/4, -1/4, -1/4, -1/4: 9/16 + 3/16.
    assert found.group_squares == pytest.approx(12 / 16)
    # A row for each answer: yes was called yes and no, no was called yes twice.
    assert found.confusion == ((1, 1), (2, 0))
    assert [(b.n, b.right) for b in found.bins] == [(0, 0)] * 5 + [(2, 0), (0, 0), (1, 0), (0, 0), (1, 1)]
    assert found.bins[5].confidence == pytest.approx(0.55 + 0.5)
    assert found.bins[9].confidence == pytest.approx(0.92)


def test_groups_are_summed_before_they_are_squared() -> None:
    cases = (case("yes", "p"), case("yes", "q"), case("no", "p"), case("no"))
    found = to_score(choice_run(ONE, TABLE, true_labels(cases, ANSWER)), cases, "test", ANSWER)
    assert found.groups == 3
    # p: 3/4 - 1/4 = 1/2; q: -1/4; the case without a group: -1/4.
    assert found.group_squares == pytest.approx(1 / 4 + 1 / 16 + 1 / 16)


def test_a_comparisons_sums_by_hand() -> None:
    first = PromptRun(ONE, np.array([1.0, 1.0, 0.0, 1.0]))
    second = PromptRun(TWO, np.array([0.0, 1.0, 1.0, 0.0]))
    found = compare_runs(first, second, CASES, "test")
    # Differences 1, 0, -1, 1: sum 1, squares 3; residuals from 1/4 are 3/4, -1/4, -5/4, 3/4.
    assert (found.n, found.total, found.squares, found.better, found.worse) == (4, 1.0, 3.0, 2, 1)
    assert (found.groups, found.group_squares) == (4, pytest.approx((9 + 1 + 25 + 9) / 16))
    assert (found.first, found.second) == (ONE.id, TWO.id)
    back = compare_runs(second, first, CASES, "test")
    assert (back.total, back.better, back.worse) == (-1.0, 1, 2)
    same = compare_runs(first, first, CASES, "test")
    assert (same.total, same.squares, same.better, same.worse) == (0.0, 0.0, 0, 0)


def test_a_query_shows_tune_cases_alone() -> None:
    template = Template("d", text="{demonstrations}Q: {text} A:", demonstrations=Demonstrations(2))
    tune = [case("yes", text="t1"), case("no", text="t2")]
    one = case("yes", text="v1")
    asked = query(Prompt(template.with_words(ANSWER.labels)), one, ANSWER.labels, Shown(template, tune).to(one))
    assert asked.rendered.text() == "Q: t2 A: no\n\nQ: t1 A: yes\n\nQ: v1 A:"
    assert asked.words == (" yes", " no")


def test_runs_come_in_the_order_of_prompts_whatever_their_company() -> None:
    model = ScriptedModel()
    both, cost = run_prompts(model, [ONE, TWO], CASES, ANSWER)
    (alone,), _ = run_prompts(model, [TWO], CASES, ANSWER)
    assert [run.prompt for run in both] == [ONE, TWO]
    assert both[1].confidence is not None and alone.confidence is not None
    assert both[1].confidence.tolist() == alone.confidence.tolist()
    assert 0 < cost.work.share_ratio < 1 and cost.distinct < cost.tokens


def test_over_nothing_nothing_is_run() -> None:
    assert run_prompts(ScriptedModel(), [ONE], [], ANSWER)[0] == ()
    assert run_prompts(ScriptedModel(), [], CASES, ANSWER)[1].work.share_ratio == 1.0


def test_an_answer_that_is_no_label_names_its_line_and_not_its_text() -> None:
    with pytest.raises(DataError, match="line 7", check=coded("unknown-label")) as caught:
        true_labels([*CASES, case("Mrs Smith", line=7)], ANSWER)
    assert "Smith" not in str(caught.value)


def test_generated_text_is_scored_by_the_mean_of_its_scorers() -> None:
    answer = Answer(type="generate", scorers=("exact", "contains"), max_tokens=4)
    prompt = Prompt(Template("g", text="{text}:"))
    told: list[tuple[int, int]] = []
    model = ScriptedModel()
    asked = prompt.template.render({"text": "x"})
    from fedprompt.models.protocols import Decoding, GenerateQuery

    (made,) = model.generate([GenerateQuery(asked)], Decoding(4, ("\n\n",)))
    first = made.text.split()[0]
    cases = (case(made.text), case(first), case("never said"))
    (run,), cost = run_prompts(model, [prompt], cases, answer, progress=lambda *at: told.append(at))
    # The whole text is exact and contained; a part of it is contained alone; the last is neither.
    assert run.values.tolist() == [1.0, 0.5, 0.0]
    # Each text is three tokens after the same two, which are read once.
    assert told == [(3, 3)] and (cost.tokens, cost.distinct) == (3 * (2 + made.tokens), 2 + 3 * made.tokens)
    found = to_score(run, cases, "test", answer)
    assert (found.metric, found.total, found.squares, found.confusion) == ("score", 1.5, 1.25, ())

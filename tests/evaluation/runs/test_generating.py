"""Free text is asked for in chunks, judged case by case, and what could not be judged is in no sum."""

from collections.abc import Sequence

import numpy as np
import pytest

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.generating import CHUNK, generate_and_judge
from fedprompt.evaluation.runs.runner import compare_runs, run_prompts, to_score
from fedprompt.models.protocols import Decoding, Generated, GenerateQuery
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer

SAY = Prompt(Template("say", text="say {text}"))
SHOUT = Prompt(Template("shout", text="shout {text}"))
EXACT = Answer(type="generate", scorers=("exact-characters",))


class Echo(ScriptedModel):
    """Says what stands after the first word, or shouts it."""

    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[tuple[int, Decoding]] = []

    def generate(
        self, queries: Sequence[GenerateQuery], decoding: Decoding, *, stop: StopToken = NEVER
    ) -> tuple[Generated, ...]:
        self.chunks.append((len(queries), decoding))
        texts = [query.rendered.text().split(" ", 1) for query in queries]
        return tuple(Generated(text if verb == "say" else text.upper(), 2) for verb, text in texts)


NOTHING = Shown(SAY.template, ())


def case(text: str, answer: str, group: str | None = None) -> Case:
    return Case({"text": text}, answer, group)


def test_every_prompt_and_case_meet_once_in_chunks_of_a_fixed_size() -> None:
    model = Echo()
    cases = [case(f"t{n}", f"t{n}" if n % 2 else f"T{n}") for n in range(50)]
    told: list[tuple[int, int]] = []
    found = generate_and_judge(model, [SAY, SHOUT], cases, EXACT, [NOTHING, NOTHING], lambda *at: told.append(at))
    assert [size for size, _ in model.chunks] == [CHUNK, 100 - CHUNK]
    assert told == [(CHUNK, 100), (100, 100)]
    assert found.values[:, 0].tolist() == [float(n % 2) for n in range(50)]
    assert found.values[:, 1].tolist() == [float(1 - n % 2) for n in range(50)]
    assert found.tokens == 200
    right, wrong = "the output is the answer", "the output is not the answer"
    assert found.reasons[0] == {"exact-characters": {right: 25, wrong: 25}}


def test_the_studys_decoding_reaches_the_model() -> None:
    model = Echo()
    answer = Answer(
        type="generate", scorers=("exact",), max_tokens=7, stop=("END",), temperature=0.5, top_p=0.9, seed=11
    )
    run_prompts(model, [SAY], [case("a", "a")], answer)
    assert model.chunks == [(1, Decoding(7, ("END",), 0.5, 0.9, 11))]
    run_prompts(model, [SAY], [case("a", "a")], EXACT)
    assert model.chunks[1][1] == Decoding(64, ("\n\n",)) and model.chunks[1][1].greedy


def test_what_cannot_be_judged_is_counted_and_in_no_sum() -> None:
    cases = (case("a", "a"), case("b", ""), case("c", "x"), case("d", "d"))
    (run,), cost = run_prompts(Echo(), [SAY], cases, EXACT)
    assert np.isnan(run.values).tolist() == [False, True, False, False]
    assert (run.unscored, run.scored.tolist()) == (1, [True, False, True, True])
    assert run.reasons["exact-characters"]["the case has no answer to compare with"] == 1
    score = to_score(run, cases, "validation", EXACT)
    # 2 right of the 3 that have an answer; residuals 1/3, -2/3, 1/3.
    assert (score.n, score.total, score.groups) == (3, 2.0, 3)
    assert score.group_squares == pytest.approx(6 / 9)
    assert cost.tokens == 8


def test_a_comparison_is_over_the_cases_that_both_prompts_have() -> None:
    answer = Answer(type="generate", scorers=({"name": "numeric"},))
    cases = (case("1", "1"), case("2", "3"), case("4", "none"))
    first, second = run_prompts(Echo(), [SAY, SHOUT], cases, answer)[0]
    found = compare_runs(first, second, cases, "test")
    assert (found.n, found.total, found.better, found.worse) == (2, 0.0, 0, 0)


def test_nothing_judged_is_no_value_and_no_warning() -> None:
    cases = (case("a", ""), case("b", ""))
    (run,), _ = run_prompts(Echo(), [SAY], cases, EXACT)
    score = to_score(run, cases, "test", EXACT)
    assert (score.n, score.value, score.groups) == (0, None, 0)
    assert compare_runs(run, run, cases, "test").n == 0


def test_a_case_counts_only_where_every_scorer_could_judge_it() -> None:
    answer = Answer(type="generate", scorers=("exact", {"name": "numeric", "weight": 3}))
    cases = (case("5", "5"), case("five", "five"), case("6", "5"))
    (run,), _ = run_prompts(Echo(), [SAY], cases, answer)
    assert run.values[[0, 2]].tolist() == [1.0, 0.0]
    assert run.unscored == 1

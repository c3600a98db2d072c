"""What was judged once is not written again, and whatever a judgement depends on makes another name."""

import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import ModelError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import PromptRun, RunCost, run_prompts
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.evaluation.scorers import Resources, judged_by
from fedprompt.models.protocols import Decoding, Generated, GenerateQuery
from fedprompt.models.scripted import WINDOW, ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer
from tests.coded import coded
from tests.evaluation.test_judge import Replies

SAY, SHOUT = (Prompt(Template(verb, text=f"{verb} {{text}}")) for verb in ("say", "shout"))
CASES = [Case({"text": f"quixotry {n}"}, f"quixotry {n}" if n % 2 else "zymurgy") for n in range(70)]
EXACT = Answer(type="generate", scorers=("exact-characters",))


class Echo(ScriptedModel):
    """Says what stands after the first word; remembers what it was asked, and may break off."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._most = most

    def generate(
        self, queries: Sequence[GenerateQuery], decoding: Decoding, *, stop: StopToken = NEVER
    ) -> tuple[Generated, ...]:
        if len(self.asked) >= self._most:
            raise KeyboardInterrupt
        texts = [query.rendered.text() for query in queries]
        self.asked += texts
        return tuple(Generated(text.split(" ", 1)[1], 2) for text in texts)


def run(
    folder: Path,
    model: Echo,
    prompts: Sequence[Prompt] = (SAY,),
    answer: Answer = EXACT,
    cases: Sequence[Case] = CASES,
    resources: Resources | None = None,
    key: bytes = b"k" * 32,
) -> tuple[tuple[PromptRun, ...], RunCost]:
    cache = ScoreCache(folder / "scores.db", key)
    return run_prompts(model, prompts, cases, answer, cache=cache, resources=resources)


def test_a_second_run_writes_nothing_and_finds_the_same(tmp_path: Path) -> None:
    cold, first = run(tmp_path, Echo())
    again = Echo()
    warm, second = run(tmp_path, again)
    assert again.asked == [] and (first.cached, second.cached, second.tokens) == (0, 70, 0)
    assert warm[0].values.tolist() == cold[0].values.tolist() and set(cold[0].values) == {0.0, 1.0}
    assert warm[0].reasons == cold[0].reasons


def test_a_changed_template_writes_only_itself_and_a_stopped_run_goes_on_by_chunks(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Echo(64))
    rest = Echo()
    run(tmp_path, rest)
    assert len(rest.asked) == 70 - 64
    both = Echo()
    run(tmp_path, both, [SAY, SHOUT])
    assert len(both.asked) == 70 and all(text.startswith("shout") for text in both.asked)


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 5},
        {"stop": ("x",)},
        {"temperature": 0.5},
        {"temperature": 0.5, "seed": 1},
        {"top_p": 0.5},
        {"scorers": ("exact",)},
        {"scorers": ({"name": "exact-characters", "negate": True},)},
        {"scorers": ("exact-characters", "contains")},
    ],
)
def test_decoding_seed_and_scorers_make_another_name(tmp_path: Path, change: dict[str, object]) -> None:
    run(tmp_path, Echo())
    other = Echo()
    run(tmp_path, other, answer=Answer(**{"type": "generate", "scorers": ("exact-characters",), **change}))  # type: ignore[arg-type]
    assert len(other.asked) == 70


def test_the_answer_the_fields_and_the_key_make_another_name(tmp_path: Path) -> None:
    run(tmp_path, Echo())
    for cases in (
        [Case(case.fields, "another") for case in CASES],
        [Case({**case.fields, "note": "shown to a judge"}, case.answer) for case in CASES],
    ):
        other = Echo()
        run(tmp_path, other, cases=cases)
        assert len(other.asked) == 70
    stranger = Echo()
    run(tmp_path, stranger, key=b"s" * 32)
    assert len(stranger.asked) == 70


def test_what_another_try_may_judge_otherwise_is_not_kept(tmp_path: Path) -> None:
    rubric = Answer(type="generate", scorers=({"name": "judge", "rubric": "Polite?"},))
    lost = Resources(judge=lambda: Replies({"quixotry 7": None, "": "Score: 5"}))
    (first,), _ = run(tmp_path, Echo(), answer=rubric, resources=lost)
    assert np.isnan(first.values).sum() == 1 and first.reasons["judge"]["the judge gave no answer"] == 1
    model = Echo()
    (again,), cost = run(tmp_path, model, answer=rubric, resources=Resources(judge=lambda: Replies({"": "Score: 5"})))
    assert model.asked == ["say quixotry 7"] and cost.cached == 69 and again.values.tolist() == [1.0] * 70


def test_the_judges_model_is_part_of_who_judged() -> None:
    rubric = Answer(type="generate", scorers=({"name": "judge", "rubric": "Polite?"},))
    ids = {
        judged_by(rubric, Resources(judge_digest=lambda: "sha256:a")),
        judged_by(rubric, Resources(judge_digest=lambda: "sha256:b")),
        judged_by(Answer(type="generate", scorers=({"name": "judge", "rubric": "Kind?"},)), Resources()),
        judged_by(rubric),
        judged_by(EXACT),
    }
    assert len(ids) == 5
    # A scorer that is no judge does not depend on it; options written out are the options meant.
    assert judged_by(EXACT, Resources(judge_digest=lambda: "sha256:a")) == judged_by(EXACT)
    short, long = (
        Answer(type="generate", scorers=(spec,)) for spec in ("contains", {"name": "contains", "whole_words": True})
    )
    assert judged_by(short) == judged_by(long)


def test_plain_likelihoods_are_judged_by_nobody_and_normalised_ones_are_named() -> None:
    labels = ("a", "b")
    plain = Answer(type="choice", labels=labels)
    others = [Answer(type="choice", labels=labels, **more) for more in ({"normalise": "tokens"}, {"prior": "pmi"})]
    assert judged_by(plain) is None and len({judged_by(one) for one in others} - {None}) == 2


def test_the_file_is_private_and_holds_no_text(tmp_path: Path) -> None:
    run(tmp_path, Echo())
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"quixotry" not in held and b"zymurgy" not in held and b"the output is" in held
    assert stat.S_IMODE((tmp_path / "scores.db").stat().st_mode) == 0o600


def test_a_text_too_long_for_the_window_is_cut_and_counted(tmp_path: Path) -> None:
    cases = [Case({"text": "word " * WINDOW}, "x"), Case({"text": "short"}, "short")]
    model = Echo()
    (found,), cost = run(tmp_path, model, cases=cases)
    assert cost.clipped == 1 and found.values.tolist() == [0.0, 1.0]
    asked = model.asked[0]
    # The instruction stays, and so does the room for the text that is to be written.
    assert asked.startswith("say word") and len(asked.split()) <= WINDOW - EXACT.max_tokens
    with pytest.raises(ModelError, check=coded("window")):
        run(tmp_path, ScriptedAll(), [Prompt(Template("long", text="word " * WINDOW + "{text}"))], cases=cases)


class ScriptedAll(Echo):
    """The shipped model as it is."""

    def generate(
        self, queries: Sequence[GenerateQuery], decoding: Decoding, *, stop: StopToken = NEVER
    ) -> tuple[Generated, ...]:
        return ScriptedModel.generate(self, queries, decoding)

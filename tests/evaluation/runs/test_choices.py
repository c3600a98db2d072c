"""What a model said is asked for once, and group by group, so that a stop loses at most a group."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.choices import GROUP, ask
from fedprompt.evaluation.runs.likelihoods import adjusted
from fedprompt.evaluation.runs.runner import query, run_prompts
from fedprompt.evaluation.runs.score_cache import ScoreCache
from fedprompt.models.private_rows import PrivateRows
from fedprompt.models.protocols import ChoiceQuery, ChoiceResult
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Demonstrations, Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer

LABELS = ("positive", "negative")
ANSWER = Answer(type="choice", labels=LABELS)
ONE = Prompt(Template("one", text="Review: {text}\nSentiment:").with_words(LABELS))
TWO = Prompt(Template("two", text="{text} It was", words={"positive": " good", "negative": " bad"}))
CASES = [Case({"text": f"a {word} film, number {k}"}, "positive") for k in range(70) for word in ("good", "bad")]


class Counting(ScriptedModel):
    """Remembers how many queries came at once; may break off."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.asked: list[int] = []
        self._most = most

    def choices(
        self,
        queries: Sequence[ChoiceQuery],
        progress: Callable[[int, int], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> ChoiceResult:
        if len(self.asked) == self._most:
            raise KeyboardInterrupt
        self.asked.append(len(queries))
        return super().choices(queries, progress)


def cache(folder: Path) -> ScoreCache:
    return ScoreCache(folder / "scores.db", b"k" * 32)


def test_a_second_run_computes_nothing_and_finds_the_same(tmp_path: Path) -> None:
    model = Counting()
    cold, first = run_prompts(model, [ONE, TWO], CASES, ANSWER, cache=cache(tmp_path))
    again = Counting()
    warm, second = run_prompts(again, [ONE, TWO], CASES, ANSWER, cache=cache(tmp_path))
    assert model.asked == [2 * GROUP, 2 * GROUP, 2 * (len(CASES) - 2 * GROUP)]
    assert again.asked == [] and second.distinct == 0 and second.cached == 2 * len(CASES) and first.cached == 0
    for one, other in zip(cold, warm, strict=True):
        assert one.confidence is not None and other.confidence is not None
        assert one.confidence.tobytes() == other.confidence.tobytes()


def test_a_changed_template_computes_only_itself(tmp_path: Path) -> None:
    run_prompts(ScriptedModel(), [ONE, TWO], CASES, ANSWER, cache=cache(tmp_path))
    changed = Prompt(Template("one", text="Text: {text}\nSentiment:").with_words(LABELS))
    model = Counting()
    _, cost = run_prompts(model, [changed, TWO], CASES, ANSWER, cache=cache(tmp_path))
    assert sum(model.asked) == len(CASES) == cost.cached


def test_a_run_that_was_stopped_goes_on_with_the_group_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_prompts(Counting(most=2), [ONE], CASES, ANSWER, cache=cache(tmp_path))
    model = Counting()
    run_prompts(model, [ONE], CASES, ANSWER, cache=cache(tmp_path))
    assert model.asked == [len(CASES) - 2 * GROUP]


def test_model_words_soft_prompt_demonstrations_and_key_make_another_name(tmp_path: Path) -> None:
    held, info = cache(tmp_path), ScriptedModel().info
    slot = Template("slot", text="{text}{soft}").with_words(LABELS)
    shown = Template("shown", text="{demonstrations}{text}", demonstrations=Demonstrations(1)).with_words(LABELS)
    softs = [SoftPrompt(np.full((1, 16), value, np.float32), info.digest) for value in (1, 2)]
    case = Case({"text": "fine"}, "positive")
    queries = [
        ChoiceQuery(slot.render(case.fields), (" a", " b"), softs[0]),
        ChoiceQuery(slot.render(case.fields), (" a", " b"), softs[1]),
        ChoiceQuery(slot.render(case.fields), (" a", " c"), softs[1]),
        ChoiceQuery(shown.render(case.fields, [({"text": "one"}, "positive")]), (" a", " b")),
        ChoiceQuery(shown.render(case.fields, [({"text": "two"}, "positive")]), (" a", " b")),
        query(ONE, case, LABELS, ()),
    ]
    names = held.names(info, queries)
    assert len(set(names)) == len(queries)
    assert not set(names) & set(ScoreCache(held.path, b"l" * 32).names(info, queries))
    other = type(info)(info.name, "sha256:other", info.width, info.window, info.settings)
    assert not set(names) & set(held.names(other, queries))
    assert names == held.names(info, queries)


def test_the_file_is_private_and_holds_no_text(tmp_path: Path) -> None:
    run_prompts(ScriptedModel(), [ONE], CASES[:9], ANSWER, cache=cache(tmp_path))
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert b"film" not in file.read_bytes()


def test_a_damaged_file_is_put_aside_and_begun_anew(tmp_path: Path) -> None:
    held = cache(tmp_path)
    held.path.write_bytes(b"this is no database, whatever its name says" * 40)
    model = Counting()
    for _ in range(3):
        run_prompts(model, [ONE], CASES[:9], ANSWER, cache=held)
    assert model.asked[-1] == 9 and len(model.asked) <= 2
    assert (tmp_path / "scores.db.damaged").exists()


def test_a_damaged_file_that_another_process_put_aside_first_stops_nobody(tmp_path: Path) -> None:
    rows = PrivateRows(tmp_path / "scores.db", "likelihoods")
    rows.path.write_bytes(b"this is no database, whatever its name says" * 40)
    for _ in range(2):
        rows.put_aside()
    rows.put({b"name": b"body"})
    assert rows.get([b"name"]) == {b"name": b"body"}


def test_progress_goes_from_group_to_group() -> None:
    told: list[tuple[int, int]] = []
    table = [[query(ONE, case, LABELS, ())] for case in CASES]
    ask(ScriptedModel(), table, progress=lambda *at: told.append(at))
    assert told[-1] == (3000, 3000)
    assert told == sorted(told)


def test_normalised_by_tokens_and_characters_by_hand() -> None:
    # One case, one prompt, words " good" (4 characters) and " terrible" (8), of 1 and 3 tokens.
    values, lengths = np.array([[[-2.0, -3.0]]]), np.array([[[1.0, 3.0]]])
    words = [(" good", " terrible")]
    by_tokens = Answer(type="choice", labels=LABELS, normalise="tokens")
    assert adjusted(by_tokens, values, lengths, words).tolist() == [[[-2.0, -1.0]]]
    by_characters = Answer(type="choice", labels=LABELS, normalise="characters")
    assert adjusted(by_characters, values, lengths, words).tolist() == [[[-0.5, -0.375]]]


def test_priors_by_hand() -> None:
    # Likelihoods 0.6 and 0.4; with empty fields 0.8 and 0.2: ratios 0.75 and 2.
    values, lengths = np.log([[[0.6, 0.4]]]), np.ones((1, 1, 2))
    pmi = Answer(type="choice", labels=LABELS, prior="pmi")
    found = adjusted(pmi, values, lengths, [(" a", " b")], np.log([[[0.8, 0.2]]]))
    assert np.exp(found).tolist() == pytest.approx(np.array([[[0.75, 2.0]]]))
    # Content-free shares (0.8, 0.2) and (0.6, 0.4) average to (0.7, 0.3): 0.6 / 0.7 and 0.4 / 0.3.
    calibrated = Answer(type="choice", labels=LABELS, prior="contextual")
    prior = np.log([[[0.8, 0.2]], [[0.3, 0.2]]])
    found = adjusted(calibrated, values, lengths, [(" a", " b")], prior)
    assert np.exp(found) == pytest.approx(np.array([[[0.6 / 0.7, 0.4 / 0.3]]]))


def test_a_prior_is_measured_with_the_cases_own_template() -> None:
    model = Counting()
    answer = Answer(type="choice", labels=LABELS, prior="contextual")
    (run,), _ = run_prompts(model, [ONE], CASES[:4], answer)
    assert model.asked == [4, 3]
    assert run.predicted is not None

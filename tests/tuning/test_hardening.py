"""Projection returns a soft prompt's own words, and a search never ends with worse words than it began with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedprompt.errors import TuningError
from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.runner import run_prompts
from fedprompt.models.protocols import ChoiceQuery, ChoiceResult, LossGradient, ModelInfo, RunSettings, SoftObjective
from fedprompt.models.vocabulary import By, Nearest
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.rendered import SoftSlot
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Message, Template
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer
from fedprompt.tuning.hardening import Searched, SearchSettings, project, search_words
from fedprompt.tuning.word_objective import WordObjective, with_words
from tests.coded import coded

ANSWER = Answer(type="choice", labels=("yes", "no"))
TEMPLATE = Template("t", text="{text}{soft} so", words={"yes": " yes", "no": " no"})
# Each word's embedding, written out; the first number speaks for " yes". " up" and " down" lie on one line with " yes".
WORDS = {
    " up": (1.0, 0.0),
    " down": (-1.0, 0.0),
    " left": (0.0, 1.0),
    " far": (3.0, 0.0),
    " le": (0.0, 2.0),
    "ft": (0, 3.0),
}
CASES = (Case({"text": "a"}, "yes", line=2), Case({"text": "b"}, "yes", line=3), Case({"text": "c"}, "no", line=4))


class Bag:
    """A model that adds up the embeddings of what it reads: the first number is by how much " yes" is above " no".

    A word unlikely as text costs a nat for each time that it was said before. Cases "a", "b", "c" say 0.5, -1.5, -2.5.
    """

    def __init__(self) -> None:
        self.said = {"a": 0.5, "b": -1.5, "c": -2.5}
        self.info = ModelInfo("bag", "bag", 2, 10_000, RunSettings("float32", 1))
        self.vocabulary = self
        self.names = list(WORDS)

    def nearest(self, vectors: NDArray[np.float32], count: int, by: By, *, plain: bool = True) -> Nearest:
        rows = self.vectors(range(len(WORDS))).astype(float)
        wanted = np.asarray(vectors, float)
        likeness = wanted @ rows.T
        if by == "cosine":
            likeness = likeness / np.linalg.norm(rows, axis=1)
        elif by == "euclid":
            likeness = -np.linalg.norm(wanted[:, None] - rows, axis=2)
        order = np.argsort(-likeness, axis=1, kind="stable")[:, :count]
        return Nearest(order, np.take_along_axis(likeness, order, 1))

    def vectors(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        return np.array([WORDS[self.names[token]] for token in tokens], np.float32)

    def spelt(self, tokens: Sequence[int]) -> str:
        return "".join(self.names[token] for token in tokens)

    def reads_back(self, tokens: Sequence[int]) -> bool:
        return self.read(self.spelt(tokens)) == list(tokens)

    def read(self, text: str) -> list[int]:
        """Return the tokens of a text, the longest that fits first, so that " le" and "ft" are read as " left"."""
        found, by_length = [], sorted(self.names, key=len, reverse=True)
        while text:
            word = next((name for name in by_length if text.startswith(name)), None)
            if word is None:
                text = text[1:]
            else:
                found.append(self.names.index(word))
                text = text[len(word) :]
        return found

    def length(self, rendered: object, words: Sequence[str] = (), soft: int = 0) -> int:
        return 1

    def choices(
        self,
        queries: Sequence[ChoiceQuery],
        progress: Callable[[int, int], None] | None = None,
        *,
        stop: StopToken = NEVER,
    ) -> ChoiceResult:
        found, lengths = [], []
        for query in queries:
            if len(query.words) == 1:  # how likely some words are as text
                tokens = self.read(query.words[0])
                found.append(np.array([-float(len(tokens) - len(set(tokens)))]))
                lengths.append(np.array([len(tokens)]))
                continue
            text = "".join(piece for turn in query.rendered.turns for piece in turn.pieces if isinstance(piece, str))
            margin = self.said[text[0]] + sum(WORDS[self.names[token]][0] for token in self.read(text))
            if query.soft is not None:
                margin += float(query.soft.vectors[:, 0].sum())
            found.append(-np.logaddexp(0.0, np.array([-margin, margin])))
            lengths.append(np.array([1, 1]))
        return ChoiceResult(tuple(found), tuple(lengths), len(queries), len(queries), 0.0)

    def objective(
        self, queries: Sequence[ChoiceQuery], answers: Sequence[int], tokens: int = 8, **rest: object
    ) -> SoftObjective:
        model = self

        class Slopes:
            def __len__(self) -> int:
                return len(queries)

            def loss_and_gradient(self, vectors: NDArray[np.float32], rows: Sequence[int]) -> LossGradient:
                soft = SoftPrompt(vectors, "bag")
                found = model.choices([ChoiceQuery(queries[row].rendered, queries[row].words, soft) for row in rows])
                # Of -log softmax the slope by the margin is p(yes) less whether the answer is yes.
                slope = np.mean(
                    [np.exp(one[0]) - (answers[row] == 0) for one, row in zip(found.loglikelihoods, rows, strict=True)]
                )
                gradient = np.zeros_like(vectors)
                gradient[:, 0] = slope
                return LossGradient(0.0, gradient)

            def loglikelihoods(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
                raise NotImplementedError

        return Slopes()


BAG = Bag()


def tokens(*words: str) -> tuple[int, ...]:
    return tuple(BAG.names.index(word) for word in words)


def objective(count: int, fluency: float = 0.0, cases: Sequence[Case] = CASES) -> WordObjective:
    return WordObjective(BAG, BAG, TEMPLATE, cases, ANSWER, tokens=count, fluency=fluency)  # type: ignore[arg-type]


def begun(*words: str, fluency: float = 0.0) -> Searched:
    return Searched(objective(len(words), fluency).measure([tokens(*words)])[0])


@pytest.mark.parametrize("by", ["cosine", "euclid"])
@pytest.mark.parametrize("words", [(" up", " left"), (" down", " down", " up"), (" left",)])
def test_vectors_that_are_words_are_projected_on_these_words_and_keep_every_answer(by: str, words: tuple[str]) -> None:
    chosen = tokens(*words)
    soft = SoftPrompt(BAG.vectors(chosen), "bag")
    found = project(BAG, soft.vectors, by)  # type: ignore[arg-type]
    if by == "euclid":
        assert found == chosen
    # " far" lies where " up" does, seen by angle alone, and comes after it in the vocabulary.
    assert BAG.spelt(found) == "".join(words)
    runs, _ = run_prompts(
        BAG, [Prompt(TEMPLATE, soft), Prompt(with_words(TEMPLATE, BAG.spelt(found), "w"))], CASES, ANSWER
    )  # type: ignore[arg-type]
    assert runs[0].values.tolist() == runs[1].values.tolist()
    assert runs[0].confidence is not None and runs[1].confidence is not None
    assert runs[0].confidence.tolist() == pytest.approx(runs[1].confidence.tolist())


def test_nearest_by_angle_and_by_distance_differ_where_a_vector_is_long() -> None:
    # (2.4, 1.0) is nearest to (3, 0) at 1.17, and to (1, 0) and (3, 0) alike by angle: the first of the two.
    vector = np.array([[2.4, 1.0]], np.float32)
    assert project(BAG, vector, "euclid") == tokens(" far") and project(BAG, vector, "cosine") == tokens(" up")


def test_tokens_that_would_be_read_otherwise_give_way_to_the_next_nearest() -> None:
    # The nearest are " le" and "ft", read as " left". After " le", the next nearest to (0, 3) is " le", at (0, 2).
    vectors = np.array([[0.0, 2.0], [0.0, 3.0]], np.float32)
    assert not BAG.reads_back(tokens(" le", "ft"))
    assert project(BAG, vectors, "euclid") == tokens(" le", " le")


def test_loss_and_surprise_are_what_they_are_by_hand() -> None:
    # " up up": margins 2.5, 0.5, -0.5 for yes, yes, no; the loss is the mean of log(1 + exp(-margin for the answer)).
    (found,) = objective(2, fluency=0.5).measure([tokens(" up", " up")])
    expected = (np.log1p(np.exp(-2.5)) + np.log1p(np.exp(-0.5)) + np.log1p(np.exp(-0.5))) / 3
    assert found.loss == pytest.approx(expected)
    # One of the two words was said before: one nat over two tokens.
    assert found.surprise == pytest.approx(0.5) and found.objective == pytest.approx(expected + 0.25)
    assert objective(2).measure([tokens(" up", " up")])[0].objective == pytest.approx(expected)


def test_the_search_finds_the_best_words_by_the_gradient_and_fluency_changes_which() -> None:
    # Two words move every margin by the sum of their first numbers. Cases a, b want 0.5 + s, -1.5 + s large and c wants
    # -2.5 + s small: of the sums that two words give (-2 to 6) the loss is least at 2.
    found = search_words(BAG, objective(2), begun(" left", " left"), SearchSettings(20, patience=20))
    assert sorted(BAG.names[token] for token in found.words.tokens) in ([" up", " up"], [" down", " far"])
    every = objective(2).measure([(a, b) for a in range(6) for b in range(6) if BAG.reads_back((a, b))])
    assert found.words.objective == pytest.approx(min(one.objective for one in every))
    # Saying a word twice costs: what is left is the pair of different words.
    fluent = search_words(
        BAG, objective(2, fluency=5.0), begun(" left", " left", fluency=5.0), SearchSettings(20, patience=20)
    )
    assert len(set(fluent.words.tokens)) == 2


@hypothesis_settings(max_examples=25)
@given(
    start=st.lists(st.sampled_from([" up", " down", " left", " far"]), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
    fluency=st.sampled_from([0.0, 0.1, 3.0]),
    cut=st.integers(0, 4),
)
def test_a_search_ends_no_worse_than_it_began_and_the_same_in_one_go_or_resumed(
    start: list[str], seed: int, fluency: float, cut: int
) -> None:
    measured, first = objective(len(start), fluency), begun(*start, fluency=fluency)
    settings = SearchSettings(4, seed, draws=4, top=3, few=2, confirmed=2)
    heard: list[Searched] = []
    found = search_words(BAG, measured, first, settings, heard.append)
    assert [one.step for one in heard] == [1, 2, 3, 4] and heard[-1] == found
    worth = [first.words.objective, *(one.words.objective for one in heard)]
    assert worth == sorted(worth, reverse=True)
    assert BAG.reads_back(found.words.tokens)
    assert search_words(BAG, measured, ([first, *heard])[cut], settings) == found


def test_a_search_that_gains_nothing_ends_early() -> None:
    best = search_words(BAG, objective(1), begun(" left"), SearchSettings(30, patience=30)).words
    found = search_words(BAG, objective(1), Searched(best), SearchSettings(30, patience=3))
    assert (found.words, found.step, found.fruitless) == (best, 3, 3)


def test_words_take_the_slots_place_and_braces_stay_braces() -> None:
    text = with_words(Template("t", text="{{x}} {text}{soft}!"), " {up}", "w")
    assert text.text == "{{x}} {text} {{up}}!" and not text.has_soft
    (turn,) = text.render({"text": "A"}).turns
    assert turn.pieces == ("{x} A {up}!",)
    chat = Template("t", messages=(Message("system", "Be {soft}."), Message("user", "{text}")))
    found = with_words(chat, " up", "w").messages
    assert found is not None and [message.content for message in found] == ["Be  up.", "{text}"]
    assert not any(isinstance(piece, SoftSlot) for piece in turn.pieces)


def test_nothing_to_measure_on_and_a_weight_below_zero_are_refused() -> None:
    with pytest.raises(TuningError, check=coded("nothing-to-measure")):
        objective(2, cases=())
    with pytest.raises(TuningError, check=coded("fluency-weight")):
        objective(2, fluency=-0.1)
    with pytest.raises(TuningError, check=coded("search-settings")):
        SearchSettings(-1)


@pytest.mark.model
def test_the_default_models_own_words_are_kept_and_a_few_steps_lower_the_loss(home_with_assets: Path) -> None:
    from fedprompt.models.registry import load

    model = load("smollm2-135m-instruct", home_with_assets, RunSettings("float32", 1))
    words = model.vocabulary  # type: ignore[attr-defined]
    soft = model.text_init(" Overall, the feeling expressed here is clearly", 8)
    chosen = project(words, soft.vectors, "cosine")
    assert words.spelt(chosen) == " Overall, the feeling expressed here is clearly"
    assert project(words, soft.vectors, "euclid") == chosen
    template = Template("t", text="Review: {text}{soft}", words={"yes": " positive", "no": " negative"})
    said = {"yes": ("A wonderful film.", "I loved it."), "no": ("A dreadful film.", "I was bored.")}
    cases = [Case({"text": text}, label, line=2) for label, texts in said.items() for text in texts]
    runs, _ = run_prompts(
        model, [Prompt(template, soft), Prompt(with_words(template, words.spelt(chosen), "w"))], cases, ANSWER
    )
    assert runs[0].confidence is not None and runs[1].confidence is not None
    assert runs[0].values.tolist() == runs[1].values.tolist()
    assert runs[0].confidence.tolist() == pytest.approx(runs[1].confidence.tolist(), abs=1e-4)
    # From words that say nothing of feelings.
    measured = WordObjective(model, words, template, cases, ANSWER, tokens=3, fluency=0.01)
    start = measured.measure([project(words, model.text_init(" of the table", 3).vectors, "euclid")])[0]
    found = search_words(words, measured, Searched(start), SearchSettings(3, draws=8, few=4))
    assert found.words.objective < start.objective and words.reads_back(found.words.tokens)

"""Free text for every case and prompt, judged as it comes: values and counts of reasons, never the texts.

Texts are asked for in chunks of a fixed size, so that batches depend on the data alone and memory is bounded, and a run
that was stopped loses a chunk at most. On a model of this machine a case that is too long for the window is cut as
``fitting`` says, and what was judged before is not written again. A case that the model did not answer or a scorer
could not judge has no value (NaN).
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.fitting import fit
from fedprompt.evaluation.runs.score_cache import Judgement, ScoreCache
from fedprompt.evaluation.scorers.configured import configure, weighted_mean
from fedprompt.evaluation.scorers.identity import judged_by
from fedprompt.evaluation.scorers.scorer import Resources, Sample
from fedprompt.models.protocols import CausalModel, Decoding, GenerateQuery, Writer
from fedprompt.prompts.prompt import Prompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Answer

__all__ = ["CHUNK", "Judged", "Local", "generate_and_judge"]

CHUNK = 64


@dataclass(frozen=True, eq=False)
class Judged:
    """``values``: [cases, prompts] float64; ``reasons``: for each prompt, scorer -> reason -> cases.

    ``tokens`` were read or written, ``distinct`` of them computed here. ``cached`` values were known before;
    ``clipped`` cases were too long for some prompt and lost their end.
    """

    values: NDArray[np.float64]
    reasons: tuple[Mapping[str, Mapping[str, int]], ...]
    tokens: int
    distinct: int
    seconds: float
    cached: int = 0
    clipped: int = 0


@dataclass(frozen=True)
class Local:
    """The model where it runs on this machine, and the site's cache, if there is one."""

    model: CausalModel
    cache: ScoreCache | None = None


def generate_and_judge(
    model: Writer,
    prompts: Sequence[Prompt],
    cases: Sequence[Case],
    answer: Answer,
    shown: Sequence[Shown],
    progress: Callable[[int, int], None] | None = None,
    resources: Resources | None = None,
    local: Local | None = None,
    stop: StopToken = NEVER,
) -> Judged:
    """Write a text for every case and prompt, and judge it by the study's scorers.

    Args:
        shown: what each prompt's template shows.
        progress: hears (texts done, texts in all).
        resources: the encoder and the judge that scorers may need.
        local: ``model`` once more where it runs here, so that cases are cut to its window and judgements are kept.
        stop: looked at between two batches, and between writing and judging.

    Raises:
        StudyError: an unknown scorer or option.
        ModelError: a prompt does not fit the model's window, or a scorer lacks what it needs.
        DataError: the cache cannot be read or written.
    """
    run = _Run(model, prompts, cases, answer, shown, resources, local, stop)
    # Case by case, so that what prompts share of one case lies together.
    spots = [(case, prompt) for case in range(len(cases)) for prompt in range(len(prompts))]
    for start in range(0, len(spots), CHUNK):
        stop.check()
        run.chunk(spots[start : start + CHUNK])
        if progress is not None:
            progress(min(start + CHUNK, len(spots)), len(spots))
    return run.judged()


class _Run:
    """The tables that are filled chunk by chunk."""

    def __init__(
        self,
        model: Writer,
        prompts: Sequence[Prompt],
        cases: Sequence[Case],
        answer: Answer,
        shown: Sequence[Shown],
        resources: Resources | None,
        local: Local | None,
        stop: StopToken,
    ) -> None:
        self._stop = stop
        self._model, self._prompts, self._cases, self._shown, self._local = model, prompts, cases, shown, local
        self._scorers, self._by = configure(answer.scorers, resources), judged_by(answer, resources)
        self._decoding = Decoding(answer.max_tokens, answer.stop, answer.temperature, answer.top_p, answer.seed)
        self._values = np.full((len(cases), len(prompts)), np.nan)
        self._reasons = [{scorer.label: Counter[str]() for scorer in self._scorers} for _ in prompts]
        self._tokens, self._distinct, self._seconds = 0, 0, 0.0
        self._cached, self._clipped = 0, set[int]()

    def chunk(self, spots: Sequence[tuple[int, int]]) -> None:
        """Judge the texts of some (case, prompt) pairs, writing those that are not known."""
        queries = [self._query(case, prompt) for case, prompt in spots]
        cache = None if self._local is None else self._local.cache
        names = self._names(queries, spots)
        known = {} if cache is None else cache.judgements(names)
        todo = []
        for place, spot in enumerate(spots):
            if cache is not None and (found := known.get(names[place])) is not None:
                self._put(spot, found)
                self._cached += 1
            else:
                todo.append(place)
        if not todo:
            return
        judged = self._judge([queries[place] for place in todo], [spots[place] for place in todo])
        if cache is not None:
            made = {names[place]: said for place, said in zip(todo, judged, strict=True) if said is not None}
            cache.keep_judgements({n: said for n, said in made.items() if not any(s.passing for s in said.values())})

    def judged(self) -> Judged:
        """Return what there is."""
        reasons, seconds = tuple(self._reasons), self._seconds
        clipped = len(self._clipped)
        return Judged(self._values, reasons, self._tokens, self._distinct, seconds, self._cached, clipped)

    def _judge(self, queries: Sequence[GenerateQuery], spots: Sequence[tuple[int, int]]) -> list[Judgement | None]:
        """Return what the scorers say of each text, None where the model gave none."""
        began = time.perf_counter()
        made = self._model.generate(queries, self._decoding, stop=self._stop)
        self._seconds += time.perf_counter() - began
        self._tokens += sum(each.read + each.tokens for each in made)
        self._distinct += sum(each.computed for each in made)
        self._stop.check()
        judged: list[Judgement | None] = [None] * len(spots)
        written = [place for place, each in enumerate(made) if each.failure is None]
        asked = [(made[place].text, self._cases[spots[place][0]]) for place in written]
        samples = [Sample(text, case.answer, case.fields) for text, case in asked]
        found = {scorer.label: scorer.score_all(samples) for scorer in self._scorers}
        for at, place in enumerate(written):
            said = judged[place] = {label: column[at] for label, column in found.items()}
            self._put(spots[place], said)
        for each, (_, prompt) in zip(made, spots, strict=True):
            if each.failure is not None:
                self._reasons[prompt].setdefault("model", Counter())[each.failure] += 1
        return judged

    def _query(self, case: int, prompt: int) -> GenerateQuery:
        own, shown = self._prompts[prompt], self._shown[prompt].to(self._cases[case])

        def make(one: Case) -> GenerateQuery:
            return GenerateQuery(own.template.render(one.fields, shown), own.tuned)

        if self._local is None:
            return make(self._cases[case])
        # The text's own room, but never more than a quarter of the window: long answers end with it.
        room = min(self._decoding.max_tokens, self._local.model.info.window // 4)
        query, cut = fit(self._local.model, make, self._cases[case], room=room)
        if cut:
            self._clipped.add(case)
        return query

    def _names(self, queries: Sequence[GenerateQuery], spots: Sequence[tuple[int, int]]) -> list[bytes]:
        if self._local is None or self._local.cache is None:
            return []
        cache, info = self._local.cache, self._local.model.info
        cases = [self._cases[case] for case, _ in spots]
        return [
            cache.text_name(info, query, self._decoding, self._by, case.answer, case.fields)
            for query, case in zip(queries, cases, strict=True)
        ]

    def _put(self, spot: tuple[int, int], said: Judgement) -> None:
        case, prompt = spot
        for label, judged in said.items():
            self._reasons[prompt][label][judged.reason] += 1
        if (value := weighted_mean(said, self._scorers)) is not None:
            self._values[case, prompt] = value

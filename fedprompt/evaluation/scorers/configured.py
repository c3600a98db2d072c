"""A study's scorers made ready: options checked, each with its weight, its threshold and whether it is negated.

Order: the scorer's own value; with a threshold, 1 at or above it and 0 below; negated, 1 minus that. Invariant: a
value stays in [0, 1], and what could not be judged stays None.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fedprompt.errors import StudyError
from fedprompt.evaluation.scorers.registry import OptionError, scorer_options, scorer_with
from fedprompt.evaluation.scorers.scorer import BatchScorer, PreparedScorer, Resources, Sample, Scored, Scorer
from fedprompt.study.files import Misfit
from fedprompt.study.schema import Answer, ScorerSpec, Study

__all__ = ["Configured", "complete_scorers", "configure", "weighted_mean"]


@dataclass(frozen=True)
class Configured:
    """A scorer as a study wants it; ``label`` is its name, numbered where a study names it twice."""

    label: str
    scorer: Scorer
    weight: float = 1.0
    negate: bool = False
    threshold: float | None = None

    def score_all(self, samples: Sequence[Sample]) -> tuple[Scored, ...]:
        """Return a judgement of each sample, in the order given."""
        if isinstance(self.scorer, BatchScorer):
            found = self.scorer.score_all(samples)
        else:
            found = tuple(self.scorer.score(sample.output, sample.answer) for sample in samples)
        return tuple(self._adjusted(each) for each in found)

    def _adjusted(self, scored: Scored) -> Scored:
        value = scored.value
        if value is None:
            return scored
        if self.threshold is not None:
            value = float(value >= self.threshold)
        return replace(scored, value=1.0 - value if self.negate else value)


def configure(specs: Sequence[ScorerSpec], resources: Resources | None = None) -> tuple[Configured, ...]:
    """Return the scorers that a study names, ready to judge.

    Raises:
        StudyError: an unknown scorer, or options that it does not have; names the field.
        ModelError: a scorer needs a package, the encoder or a judge that is not there.
    """
    given = resources or Resources()
    made = []
    seen: Counter[str] = Counter()
    for place, spec in enumerate(specs):
        try:
            scorer = scorer_with(spec.name, spec.options)
        except OptionError as error:
            raise StudyError(f"answer.scorers.{place}.{error.field}: {error.reason}", code=error.code) from error
        if isinstance(scorer, PreparedScorer):
            scorer = scorer.prepared(given)
        seen[spec.name] += 1
        label = spec.name if seen[spec.name] == 1 else f"{spec.name} {seen[spec.name]}"
        made.append(Configured(label, scorer, spec.weight, spec.negate, spec.threshold))
    return tuple(made)


def weighted_mean(scored: Mapping[str, Scored], scorers: Sequence[Configured]) -> float | None:
    """Return the weighted mean of a case's judgements, or None where one of them is missing.

    A mean over those at hand would be another metric from case to case.
    """
    total = 0.0
    for each in scorers:
        value = scored[each.label].value
        if value is None:
            return None
        total += each.weight * value
    return total / sum(each.weight for each in scorers)


def complete_scorers(study: Study) -> Study:
    """Return the study with the defaults of its scorers' options filled in.

    Raises:
        Misfit: an unknown scorer, or options that it does not have; says where in the study.
    """
    specs = []
    for place, spec in enumerate(study.answer.scorers):
        try:
            scorer = scorer_with(spec.name, spec.options)
        except OptionError as error:
            raise Misfit(("answer", "scorers", place, *error.field.split(".")), error.reason) from error
        specs.append(spec.model_copy(update={"options": scorer_options(scorer)}))
    answer: Answer = study.answer.model_copy(update={"scorers": tuple(specs)})
    return study.model_copy(update={"answer": answer})

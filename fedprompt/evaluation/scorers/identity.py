"""Who judged, as a score tells it: one digest of the scorers with all their options and of the judge's model.

Two scores with another digest are answers to another question, and are never ranked together. For a choice there is
none where plain likelihoods were compared, and one of what was done to them where they were not.
"""

from fedprompt.evaluation.scorers.registry import scorer_options, scorer_with
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.study.schema import Answer

__all__ = ["judged_by"]


def judged_by(answer: Answer, resources: Resources | None = None, *, nested: bool = False) -> str | None:
    """Return the digest, ``j1:`` and 32 hexadecimal digits, or None for plain label likelihoods.

    Args:
        resources: what this machine gives to scorers; a judge's model is part of the digest.
        nested: whether in any of the study's templates one word's tokens begin another's.

    Raises:
        OptionError: an unknown scorer or option.
        ModelError: the machine's judge is not one that it has.
    """
    if answer.type == "choice":
        if answer.normalise == answer.prior == "none" and not nested:
            return None
        how = {"normalise": answer.normalise, "prior": answer.prior, **({"nested": "longest"} if nested else {})}
        return content_id("j1", canonical_json(how))
    scorers = [
        {**spec.model_dump(mode="json"), "options": scorer_options(scorer_with(spec.name, spec.options))}
        for spec in answer.scorers
    ]
    judge = None
    if resources is not None and resources.judge_digest is not None and any(s["name"] == "judge" for s in scorers):
        judge = resources.judge_digest()
    return content_id("j1", canonical_json({"scorers": scorers, "judge": judge}))

"""How many exact questions a study asks of each split of a site, from its first template to its look at test."""

from collections.abc import Mapping

from fedprompt.errors import StudyError
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.workspace.rounds.worth_ways import ways_of

__all__ = ["SPLITS", "planned_questions", "told_questions", "too_many"]

SITES = 4  # how many a federation is taken to have, where that is not known
SPLITS: tuple[SplitName, ...] = ("tune", "validation", "test")


def planned_questions(study: Study, sites: int = SITES) -> Mapping[SplitName, int]:
    """Return the exact questions that a federation of so many sites asks of each split, at most.

    A prompt's score and a comparison of two prompts are one each; a choice is one beside the score of what was chosen.
    A way of answering as a newcomer is one of validation, where it is judged, and one of tune, where it learns.
    """
    rounds, templates = study.rounds, len(study.templates)
    if study.soft is None:
        compared = templates - 1
        return {"validation": templates + compared, "test": 1}
    groups = 0 if rounds.groups is None else 1
    shared = groups + (0 if rounds.personal is None else 1)
    tuned = rounds.looks + (len(rounds.scored_of(rounds.count)) if rounds.alone else 0)
    # The common prompt, the best template and what was shared, each with every template.
    pairs = (2 + shared) * templates
    chosen = 0 if rounds.personal is None else 2
    prompts = 2 + shared + (sites if rounds.alone else 0)
    compared = 1 + 2 * shared + (4 if rounds.alone else 0)
    learnt = 0 if study.worth is None else sum(len(ways_of(study.worth, n)) for n in study.worth.n)
    return {
        "validation": templates + tuned + shared + pairs + chosen + learnt,
        "test": prompts + compared,
        **({"tune": learnt} if learnt else {}),
    }


def too_many(study: Study, sizes: Mapping[SplitName, int], sites: int = SITES) -> str | None:
    """Return why a study asks more than splits of these sizes bear, and what to write; None where they bear it."""
    planned = planned_questions(study, sites)
    for split in (one for one in planned if one in sizes):
        most = study.questions(sizes[split])
        if planned[split] > most:
            needed = max(planned.values())
            said = "the study's 'privacy: questions'" if study.privacy.questions is not None else "a quarter of them"
            return (
                f"the study asks {planned[split]} exact questions of {split}, and {sizes[split]} cases answer {most} "
                f"({said}); write 'privacy: {{questions: {needed}}}' if the sites' operators agree to that many, or "
                "take fewer templates or rounds"
            )
    return None


def check_questions(study: Study, where: str) -> None:
    """Refuse a study that says how many cases its splits have and asks more exact questions than these bear.

    Raises:
        StudyError: says what to write.
    """
    splits = study.splits
    sizes: Mapping[SplitName, float] = {"tune": splits.tune, "validation": splits.validation, "test": splits.test}
    if min(sizes.values()) <= 1:  # fractions: that is seen once a site has described its cases
        return
    if (why := too_many(study, {split: int(size) for split, size in sizes.items()})) is not None:
        raise StudyError(f"{where}: {why}", code="too-many-questions")


def told_questions(study: Study, sites: int = SITES) -> str:
    """Return in a sentence what a study's bound on exact questions allows, for a site's operator."""
    planned, said = planned_questions(study, sites), study.privacy.questions
    allowed = "a quarter as many exact questions as it has cases" if said is None else f"{said:,} exact questions"
    newcomer = "" if study.worth is None else ", or a way of answering as a newcomer"
    return (
        f"Over its lifetime a split may answer {allowed}, in this and other studies together. This study asks up to "
        f"{_listed(planned)}. An exact question is a prompt's score, or two prompts compared{newcomer}. With about as "
        "many as a split has cases, whoever asks can work out single cases."
    )


def _listed(planned: Mapping[SplitName, int]) -> str:
    *first, last = [f"{count} of {split}" for split, count in planned.items()]
    return f"{', '.join(first)} and {last}"

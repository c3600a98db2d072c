"""How many exact questions a study asks of each split of a site, from its first template to its look at test."""

from collections.abc import Mapping

from fedprompt.errors import StudyError
from fedprompt.study.allowed_rounds import most_updates
from fedprompt.study.rounding import SHARE, told_apart
from fedprompt.study.schema import Study
from fedprompt.study.score import SplitName
from fedprompt.workspace.rounds.worth_ways import ways_of

__all__ = ["SPLITS", "planned_questions", "spare_scores", "told_questions", "too_many"]

TOLD_OF = (50, 200)  # cases of a split, of which it is said what a number of questions tells
SITES = 4  # how many a federation is taken to have, where that is not known
SPLITS: tuple[SplitName, ...] = ("tune", "validation", "test")


def planned_questions(study: Study, sites: int = SITES) -> Mapping[SplitName, int]:
    """Return the exact questions that a federation of so many sites asks of each split, at most.

    A prompt's score and a comparison of two prompts are one each; a choice is one beside the score of what was chosen.
    A way of answering as a newcomer is one of validation, where it is judged, and one of tune, where it learns. A head
    is one of tune for each label.
    """
    rounds, templates = study.rounds, len(study.templates)
    if study.moves is None:
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
    fitted = 0 if study.head is None else len(study.answer.labels)
    return {
        "validation": templates + tuned + shared + pairs + chosen + learnt,
        "test": prompts + compared,
        **({"tune": learnt + fitted} if learnt + fitted else {}),
    }


def too_many(study: Study, sizes: Mapping[SplitName, int], sites: int = SITES) -> str | None:
    """Return why a study asks more than splits of these sizes bear, and what to write; None where they bear it.

    Args:
        study: what asks.
        sizes: independent cases of each split, as a site counts them: distinct inputs, or groups.
        sites: how many there are.
    """
    planned, noised = planned_questions(study, sites), study.dp is not None and "scores" in study.dp.covers
    for split in (one for one in planned if one in sizes):
        if noised and study.dp is not None and split != "tune":
            if planned[split] <= study.dp.scores:
                continue
            return (
                f"the study asks {planned[split]} scores and comparisons of {split}, but its privacy budget "
                f"allows {study.dp.scores} (dp: scores). Write 'dp: {{scores: {planned[split]}}}', which adds "
                "more noise to each, or use fewer templates or rounds"
            )
        most = study.questions(sizes[split])
        if planned[split] > most:
            needed = max(planned.values())
            own = study.privacy.questions is not None
            said = "from the study's 'privacy: questions'" if own else f"one for every {SHARE} cases"
            return (
                f"the study asks {planned[split]} exact questions of {split}, but {sizes[split]} independent "
                f"cases allow {most} ({said}); add 'privacy: {{questions: {needed}}}' if the sites' operators "
                "agree, or use fewer templates or rounds"
            )
    return None


def spare_scores(study: Study) -> str | None:
    """Return that a budget of privacy is for more scores than the study asks, which costs noise, or None."""
    most = max(count for split, count in planned_questions(study).items() if split != "tune")
    if study.dp is None or "scores" not in study.dp.covers or study.dp.scores <= most:
        return None
    return (
        f"the privacy budget allows {study.dp.scores:,} scores and comparisons per split, but the study asks "
        f"{most}; 'dp: {{scores: {most}}}' reduces their noise by "
        f"{100 * (1 - (most / study.dp.scores) ** 0.5):.0f} %"
    )


def check_questions(study: Study, where: str) -> None:
    """Refuse a study that says how many cases its splits have and asks more exact questions than these bear.

    Raises:
        StudyError: says what to write.
    """
    splits = study.splits
    sizes: Mapping[SplitName, float] = {"tune": splits.tune, "validation": splits.validation, "test": splits.test}
    if min(sizes.values()) <= 1 and (
        study.dp is None or "scores" not in study.dp.covers
    ):  # fractions: that is seen once a site has described its cases
        return
    if (why := too_many(study, {split: int(size) for split, size in sizes.items()})) is not None:
        raise StudyError(f"{where}: {why}", code="too-many-questions")


def told_questions(study: Study, sites: int = SITES) -> str:
    """Return in a sentence what a study's bound on exact questions allows, for a site's operator."""
    planned, said = planned_questions(study, sites), study.privacy.questions
    allowed = f"one exact question for every {SHARE} cases" if said is None else f"{said:,} exact questions"
    newcomer = "" if study.worth is None else ", or a way of answering as a newcomer"
    newcomer += "" if study.head is None else ", or one label's part of a head"
    rounded = "rounded to about the square root of the number of cases"
    of_hub = rounded if study.privacy.details == "templates" else "exact"
    rounds = ""
    if study.moves is not None:
        rounds = f" Your tuning cases take part in at most {most_updates(study):,} rounds, over all studies together."
    return (
        f"Over its lifetime, a split answers at most {allowed}, over all studies together. This study asks up "
        f"to {_listed(planned)}. An exact question is a prompt's score, or a comparison of two "
        f"prompts{newcomer}. The numbers of correct answers for the hub's prompts are {of_hub}. After that "
        "many questions, an attacker who knows your texts among as many others identifies yours out of two "
        f"about {_picked(study)} (guessing: 50). After about as many questions as a split has cases, single "
        f"cases can be inferred.{rounds}"
    )


def _picked(study: Study) -> str:
    """Return how many times in a hundred a case is told from another text, where a split's questions are spent."""

    def times(cases: int) -> int:
        return round(100 * told_apart(study.questions(cases), cases))

    if study.privacy.questions is None:
        return f"{times(20 * SHARE)} times in 100"
    return " and ".join(f"{times(cases)} times in 100 where a split has {cases} cases" for cases in TOLD_OF)


def _listed(planned: Mapping[SplitName, int]) -> str:
    *first, last = [f"{count} of {split}" for split, count in planned.items()]
    return f"{', '.join(first)} and {last}"

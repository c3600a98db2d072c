"""What a hub knows of scores before they come: from the study, and from what the site described of its cases."""

from fedprompt.models.chat.config import is_chat
from fedprompt.privacy.plan import plan_of
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.contradictions import Expected
from fedprompt.study.rounding import nearest_of
from fedprompt.study.score import SplitName
from fedprompt.verbs.describe import DescribeReply
from fedprompt.verbs.verb import Terms

__all__ = ["expected"]


def expected(terms: Terms, split: SplitName) -> Expected | None:
    """Return what is known of scores on a split; None where there is no study, or no description, to hold them to."""
    study, described = terms.study, terms.described
    if study is None or not isinstance(described, DescribeReply):
        return None
    cases = {"tune": described.tune, "validation": described.validation, "test": described.test}[split]
    choice, plan = study.answer.type == "choice", plan_of(study)
    noised = plan is not None and plan.covers(split)
    return Expected(
        split=split,
        cases=cases,
        least=1 if noised else study.privacy.min_cases,
        labels=described.labels if choice else None,
        whole=choice and not is_chat(study.model),
        cell=study.privacy.min_cell,
        nearest=nearest_of(cases) if study.privacy.details == "templates" else 1,
        noised=plan.count**2 + plan.sizes**2 if plan is not None and noised else 0.0,
        exact=frozenset(Prompt(template).id for template in study.candidates()),
    )

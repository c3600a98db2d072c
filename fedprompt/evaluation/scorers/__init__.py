"""Scorers, one a file. To add one: write the file, then name it in one line below."""

from fedprompt.evaluation.scorers.choice import Choice
from fedprompt.evaluation.scorers.contains import Contains
from fedprompt.evaluation.scorers.exact import Exact
from fedprompt.evaluation.scorers.registry import register, scorer_named, scorer_names
from fedprompt.evaluation.scorers.scorer import Scored, Scorer

__all__ = ["Choice", "Contains", "Exact", "Scored", "Scorer", "register", "scorer_named", "scorer_names"]

register(Choice())
register(Contains())
register(Exact())
register(Exact(name="exact-characters", normalised=False))

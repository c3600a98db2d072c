"""Scorers, one a file. To add one: write the file, then name it in one line below."""

from fedprompt.evaluation.scorers.bleu import Bleu
from fedprompt.evaluation.scorers.choice import Choice
from fedprompt.evaluation.scorers.chrf import ChrF
from fedprompt.evaluation.scorers.configured import Configured, complete_scorers, configure, weighted_mean
from fedprompt.evaluation.scorers.contains import Contains
from fedprompt.evaluation.scorers.exact import Exact
from fedprompt.evaluation.scorers.identity import judged_by
from fedprompt.evaluation.scorers.json_schema import JsonSchema
from fedprompt.evaluation.scorers.json_valid import JsonValid
from fedprompt.evaluation.scorers.judge import RubricJudge
from fedprompt.evaluation.scorers.numeric import Numeric
from fedprompt.evaluation.scorers.pattern import Pattern
from fedprompt.evaluation.scorers.registry import register, scorer_named, scorer_names, scorer_with
from fedprompt.evaluation.scorers.rouge import RougeL
from fedprompt.evaluation.scorers.scorer import Judge, Resources, Sample, Scored, Scorer
from fedprompt.evaluation.scorers.similarity import Similarity
from fedprompt.evaluation.scorers.token_f1 import TokenF1

__all__ = [
    "Bleu",
    "Choice",
    "ChrF",
    "Configured",
    "Contains",
    "Exact",
    "JsonSchema",
    "JsonValid",
    "Judge",
    "Numeric",
    "Pattern",
    "Resources",
    "RougeL",
    "RubricJudge",
    "Sample",
    "Scored",
    "Scorer",
    "Similarity",
    "TokenF1",
    "complete_scorers",
    "configure",
    "judged_by",
    "register",
    "scorer_named",
    "scorer_names",
    "scorer_with",
    "weighted_mean",
]

register(Bleu())
register(Choice())
register(ChrF())
register(Contains())
register(Exact())
register(Exact(name="exact-characters", normalised=False))
register(JsonSchema)
register(JsonValid())
register(Numeric())
register(Pattern)
register(RougeL())
register(RubricJudge)
register(Similarity())
register(TokenF1())

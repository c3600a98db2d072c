"""All verbs, in the order in which a rehearsal asks them; a new one is one line here."""

from fedprompt.verbs.describe import Describe
from fedprompt.verbs.evaluate import Evaluate
from fedprompt.verbs.head import FitHead
from fedprompt.verbs.perplexity import HeldOutPerplexity
from fedprompt.verbs.pretrain import Pretrain
from fedprompt.verbs.propose import Propose
from fedprompt.verbs.publish import Publish
from fedprompt.verbs.score import ScoreTemplates
from fedprompt.verbs.sums.confirm import SumConfirm
from fedprompt.verbs.sums.keys import SumKeys
from fedprompt.verbs.sums.shares import SumShares
from fedprompt.verbs.sums.unmask import SumUnmask
from fedprompt.verbs.sums.update import SumTune
from fedprompt.verbs.tune import Tune
from fedprompt.verbs.update import GiveUpdate
from fedprompt.verbs.verb import Verb
from fedprompt.verbs.weights import SendWeights
from fedprompt.verbs.worth import Worth

__all__ = ["VERBS", "asked_by_default", "asked_verbs", "verb_named"]

VERBS: tuple[Verb, ...] = (
    Describe(),
    ScoreTemplates(),
    Tune(),
    Evaluate(),
    Propose(),
    Publish(),
    Worth(),
    FitHead(),
    SendWeights(),
    Pretrain(),
    GiveUpdate(),
    HeldOutPerplexity(),
    SumKeys(),
    SumShares(),
    SumTune(),
    SumConfirm(),
    SumUnmask(),
)


def verb_named(name: object) -> Verb | None:
    """Return the verb of this name, None where there is none."""
    return next((verb for verb in VERBS if verb.name == name), None)


def asked_verbs() -> tuple[str, ...]:
    """Return the verbs that a hub can ask."""
    return tuple(verb.name for verb in VERBS if verb.task is not None)


def asked_by_default() -> tuple[str, ...]:
    """Return the verbs that a site answers unless its operator says otherwise."""
    return tuple(verb.name for verb in VERBS if verb.task is not None and verb.by_default)

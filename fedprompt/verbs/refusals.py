"""Why a task is not answered: a code, never a message that could carry data, and the sentences that stand for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fedprompt.verbs.forms import Reply

__all__ = ["REFUSALS", "Code", "Reason", "Refusal"]

Code = Literal[
    "unknown-study",
    "unknown-prompt",
    "too-few-cases",
    "budget-spent",
    "questions-spent",
    "updates-spent",
    "privacy-spent",
    "bad-soft-prompt",
    "bad-weights",
    "failed",
    "bad-task",
    "not-allowed",
    "not-supported",
    "paused",
    "other-ledger",
    "round-answered",
    "out-of-time",
    "unknown-keys",
    "cohort-too-small",
    "cohort-differs",
    "wrong-step",
]


class Refusal(Reply):
    """Why a task was not answered."""

    verb: Literal["refuse"] = "refuse"
    code: Code


@dataclass(frozen=True)
class Reason:
    """A code in words: as the hub says it of a site, and as the site's ledger says it of itself."""

    hub: str
    ledger: str


REFUSALS: Mapping[Code, Reason] = {
    "unknown-study": Reason(
        "it has not accepted this study, or this revision of it", "its operator has not accepted that study"
    ),
    "unknown-prompt": Reason(
        "a prompt is not of the accepted study", "it was asked for a prompt that the study does not hold"
    ),
    "too-few-cases": Reason("it has fewer cases than the study's min_cases", "it has too few cases"),
    "budget-spent": Reason("its budget of replies is spent", "its budget of replies is spent"),
    "questions-spent": Reason(
        "its cases would answer more exact questions than the study allows over their lifetime",
        "its cases have answered as many exact questions as the study allows",
    ),
    "updates-spent": Reason(
        "its cases would answer more rounds, in this and other studies, than the study allows over their lifetime "
        "(privacy: {updates: N})",
        "its cases have answered as many rounds, in this and other studies, as the study allows",
    ),
    "privacy-spent": Reason(
        "its cases have spent the privacy budget that the study, or its operator's policy, sets for all studies "
        "together (dp: {in_all: N})",
        "its cases have spent their privacy budget",
    ),
    "bad-soft-prompt": Reason(
        "what the hub sent does not fit the study: its shape, norm or id is off",
        "what came to be tuned or scored did not fit the study",
    ),
    "bad-weights": Reason(
        "the weights that came are not whole, or do not fit its model",
        "weights that came were not whole, or of another model",
    ),
    "failed": Reason("it could not be done there; the site's own log says why", "something failed while it worked"),
    "bad-task": Reason("the task was not understood", "the task was malformed"),
    "not-allowed": Reason(
        "its operator does not allow this, or not that many steps", "its operator's policy does not allow it"
    ),
    "not-supported": Reason("it does not know how to do that", "it does not do such work"),
    "paused": Reason("its operator has paused it, or these are its quiet hours", "its operator has paused it"),
    "round-answered": Reason(
        "it answers each round of a study, and the choice and measurements after them, once, and has answered this one "
        "or a later one; "
        "give the study another name to run it anew",
        "it has answered this round of the study, or a later one, before",
    ),
    "out-of-time": Reason(
        "not one draw was done in the seconds that the study allows a site (worth: {seconds: N})",
        "it took longer than the study allows",
    ),
    "unknown-keys": Reason(
        "a key for the secure sum is not signed by a site that the study names, or a site is twice in the cohort",
        "the cohort of a secure sum held a key that no site of the study signed for it",
    ),
    "cohort-too-small": Reason(
        "too few sites take part in the secure sum",
        "too few sites took part in a secure sum, so it gave nothing for it",
    ),
    "cohort-differs": Reason(
        "the secure sum is of other sites than the site was told of before, or too few signed the list of them",
        "the hub told of other sites of a secure sum than before, or too few sites signed the list of them",
    ),
    "wrong-step": Reason(
        "it answers each step of a secure sum once, after the step before, and this is not the next one; or what it "
        "kept of that step is lost",
        "a step of a secure sum was asked again in another way, or before the step that it follows",
    ),
    "other-ledger": Reason(
        "its ledger does not go on from what this hub saw of it", "the hub has seen entries that this ledger lacks"
    ),
}

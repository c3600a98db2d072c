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
        "a prompt is not part of the accepted study", "the hub asked for a prompt that is not part of the study"
    ),
    "too-few-cases": Reason("it has fewer cases than the study's min_cases", "it has too few cases"),
    "budget-spent": Reason("its reply budget is used up", "its budget of replies is spent"),
    "questions-spent": Reason(
        "this would exceed the exact questions that the study allows for its cases",
        "its cases have answered all the exact questions that the study allows",
    ),
    "updates-spent": Reason(
        "this would exceed the rounds that the study allows for its cases, over this and other studies "
        "(privacy: {updates: N})",
        "its cases have taken part in all the rounds that the study allows, over this and other studies",
    ),
    "privacy-spent": Reason(
        "its cases have spent the privacy budget that the study, or its operator's policy, sets for all studies "
        "together (dp: {in_all: N})",
        "its cases have spent their privacy budget",
    ),
    "bad-soft-prompt": Reason(
        "the value from the hub does not fit the study: its shape, norm or id is wrong",
        "what came to be tuned or scored did not fit the study",
    ),
    "bad-weights": Reason(
        "the weights from the hub are incomplete, or do not fit its model",
        "the weights from the hub were incomplete, or belonged to another model",
    ),
    "failed": Reason("the site failed; its own log gives the reason", "it failed while working"),
    "bad-task": Reason("the site did not understand the task", "the task was malformed"),
    "not-allowed": Reason(
        "its operator's policy does not allow this, or not so many steps", "its operator's policy does not allow it"
    ),
    "not-supported": Reason("it does not know this verb", "it does not support this verb"),
    "paused": Reason("its operator has paused it, or these are its quiet hours", "its operator has paused it"),
    "round-answered": Reason(
        "it answers each round of a study only once, and the choice and measurements after it. It has answered "
        "this round or a later one. To run the study again, give it another name",
        "it has already answered this round of the study, or a later one",
    ),
    "out-of-time": Reason(
        "no draw finished within the seconds that the study allows a site (worth: {seconds: N})",
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
        "the list of sites in the secure sum has changed, or too few sites signed the list",
        "the hub told of other sites of a secure sum than before, or too few sites signed the list of them",
    ),
    "wrong-step": Reason(
        "it answers each step of a secure sum once, after the step before, and this is not the next one; or what it "
        "kept of that step is lost",
        "a step of a secure sum was asked again in another way, or before the step that it follows",
    ),
    "other-ledger": Reason(
        "its ledger does not continue from the state that this hub saw",
        "the ledger lacks entries that the hub has seen",
    ),
}

"""A judge on another machine sees outputs and answers of cases: what it is asked is in the ledger before it is sent.

What it answered is kept in the site's folder, so that the same question is neither sent nor paid for twice. What it
took is told batch by batch.

Invariant: no text goes to a judge elsewhere without an entry on disk; where there is no ledger, nothing goes.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from fedprompt.errors import ModelError
from fedprompt.evaluation.scorers.scorer import Judge, Resources
from fedprompt.models.chat.cost import Hear
from fedprompt.models.chat.judge import ChatJudge
from fedprompt.models.chat.protocol import ChatReply
from fedprompt.models.chat.replies import ChatReplies
from fedprompt.site.calls import record_calls
from fedprompt.site.ledger import Ledger

__all__ = ["counted", "only_here", "recorded"]


def recorded(
    resources: Resources | None,
    ledger: Ledger,
    study: str,
    replies: ChatReplies | None = None,
    hear: Hear | None = None,
) -> Resources:
    """Return the resources, counted, with every batch of questions to a judge elsewhere written into the ledger first.

    Args:
        ledger: the site's.
        study: the study's digest.
        replies: where the judge's answers are kept; nowhere if None.
        hear: told the judge's name and what each batch took.
    """

    def before(judge: Judge, prompts: Sequence[str]) -> None:
        if isinstance(judge, ChatJudge) and judge.model.info.remote and (asked := judge.to_ask(prompts)):
            record_calls(ledger, study=study, host=judge.model.info.host, cases=len(asked), conversations=asked)

    return replace(counted(resources or Resources(), replies, hear), before_judge=before)


def counted(resources: Resources, replies: ChatReplies | None = None, hear: Hear | None = None) -> Resources:
    """Return the resources with one judge, whoever asks for it; ``judged`` returns what it answered so far."""

    @cache
    def judge() -> Judge:
        assert resources.judge is not None
        found = resources.judge()
        if isinstance(found, ChatJudge):
            found = found if replies is None else found.kept_in(replies)
            found = found if hear is None else found.heard_by(hear)
        made.append(found)
        return found

    def judged() -> Sequence[ChatReply]:
        return [reply for one in made if isinstance(one, ChatJudge) for reply in one.replies]

    made: list[Judge] = []
    return replace(resources, judge=None if resources.judge is None else judge, judged=judged)


def only_here(judge: Judge, prompts: Sequence[str]) -> None:
    """Refuse a judge elsewhere, for want of a ledger.

    Raises:
        ModelError: the judge runs on another machine.
    """
    if isinstance(judge, ChatJudge) and judge.model.info.remote:
        raise ModelError(
            f"the judge '{judge.name}' runs on another machine, but there is no ledger to record its calls",
            code="may-not-be-sent",
        )

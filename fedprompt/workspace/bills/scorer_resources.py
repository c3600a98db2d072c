"""What this machine gives to scorers of free text: the encoder's asset, and the chat model that judges.

The judge is named by ``$FEDPROMPT_JUDGE``, as ``provider:model`` or ``chat:NAME`` of ``models.toml``; a study never
names one. Nothing is loaded before a scorer asks for it.
"""

import os
from pathlib import Path

from fedprompt.evaluation.scorers.scorer import Judge, Resources
from fedprompt.models.chat.config import ChatSettings, chat_settings, read_machine
from fedprompt.models.protocols import Encoder
from fedprompt.site.judge_calls import only_here

__all__ = ["JUDGE", "judge_settings", "scorer_resources"]

JUDGE = "FEDPROMPT_JUDGE"


def judge_settings(home: Path) -> tuple[str, ChatSettings] | None:
    """Return the judge's name and what this machine says of it, None where the environment names none.

    Raises:
        ModelError: there is no such chat model on this machine.
    """
    name = os.environ.get(JUDGE, "")
    return (name, chat_settings(name, read_machine(home))) if name else None


def scorer_resources(home: Path) -> Resources:
    """Return the resources of the machine whose home folder this is.

    A judge elsewhere refuses to be asked until ``site.judge_calls.recorded`` gives it a ledger.
    """
    name = os.environ.get(JUDGE, "")

    def encoder() -> Encoder:
        from fedprompt.models.sentence_encoder import load_encoder

        return load_encoder(home)

    def judge() -> Judge:
        from fedprompt.models.chat.judge import load_judge

        return load_judge(name, home)

    def judge_digest() -> str:
        from fedprompt.models.chat.judge import judge_digest as digest

        return digest(name, home)

    if not name:
        return Resources(encoder, before_judge=only_here)
    return Resources(encoder, judge, before_judge=only_here, judge_digest=judge_digest)

"""What this machine gives to scorers of free text: the encoder's asset, and the model that judges.

The judge is chosen for a run, or named by ``$FEDPROMPT_JUDGE``: ``provider:model``, ``chat:NAME`` of ``models.toml``,
or a model of this machine. A study never names one. Nothing is loaded before a scorer asks for it.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.models.chat.config import chat_settings, is_chat, read_machine
from fedprompt.models.chat.cost import Price
from fedprompt.models.chat.judge import ChatJudge, judge_digest, load_judge
from fedprompt.models.protocols import Encoder
from fedprompt.site.judge_calls import only_here
from fedprompt.workspace.bills.local_judge import FREE, load_local_judge
from fedprompt.workspace.bills.session_servers import SessionServer, load_session_chat

__all__ = ["JUDGE", "NamedJudge", "judge_name", "judge_settings", "scorer_resources"]

JUDGE = "FEDPROMPT_JUDGE"


@dataclass(frozen=True)
class NamedJudge:
    """What this machine says of a judge. ``price`` is None if it is not known; a model of this machine is free."""

    name: str
    price: Price | None
    host: str | None
    remote: bool


def judge_name(chosen: str | None = None) -> str | None:
    """Return the judge of a run: the one that was chosen, else the one that the environment names."""
    return chosen or os.environ.get(JUDGE, "") or None


def judge_settings(home: Path, chosen: str | None = None) -> NamedJudge | None:
    """Return what this machine says of the judge of a run, None if there is none.

    Args:
        chosen: the judge of this run; the one that the environment names if None.

    Raises:
        ModelError: there is no such chat model on this machine.
    """
    name = judge_name(chosen)
    if name is None:
        return None
    if not is_chat(name):
        return NamedJudge(name, FREE, None, remote=False)
    settings = chat_settings(name, read_machine(home))
    return NamedJudge(name, settings.price, settings.host, settings.remote)


def scorer_resources(home: Path, judge: str | None = None, server: SessionServer | None = None) -> Resources:
    """Return the resources of the machine whose home folder this is.

    A judge elsewhere refuses to be asked until ``site.judge_calls.recorded`` gives it a ledger.

    Args:
        judge: the judge of this run; the one that the environment names if None.
        server: where a judge of this session alone is asked, in place of ``judge``.
    """
    name = judge_name(judge)

    def encoder() -> Encoder:
        from fedprompt.models.sentence_encoder import load_encoder

        return load_encoder(home)

    @cache
    def local() -> ChatJudge:
        return load_local_judge(name or "", home)

    def made() -> ChatJudge:
        if server is not None:
            return ChatJudge(load_session_chat(server, home))
        return load_judge(name or "", home) if is_chat(name or "") else local()

    def digest() -> str:
        if server is None and is_chat(name or ""):
            return judge_digest(name or "", home)
        return made().model.info.digest

    if name is None and server is None:
        return Resources(encoder, before_judge=only_here)
    return Resources(encoder, made, before_judge=only_here, judge_digest=digest)

"""Which chat servers a study's ranking on this machine asks, and whether its cost is to be said before it is spent."""

from dataclasses import dataclass

from fedprompt.models.chat.config import ChatSettings, chat_settings, is_chat, read_machine
from fedprompt.workspace.bills.scorer_resources import judge_name
from fedprompt.workspace.cases.study_draft import body_of
from fedprompt.workspace.workspace import Workspace

__all__ = ["ServersAsked", "asked_by"]


@dataclass(frozen=True)
class ServersAsked:
    """``here`` and ``elsewhere``: hosts that cases go to. ``costs``: one costs money, or it is not known.

    ``judged``: whether texts are judged by a model; ``judge`` is its name, None while none is chosen.
    """

    here: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    costs: bool = False
    judged: bool = False
    judge: str | None = None


def asked_by(ws: Workspace, text: str, judge: str | None = None) -> ServersAsked:
    """Return whom a study's YAML has this machine ask: the study's model, and the judge of its texts.

    Args:
        judge: the judge of this run; the one that the environment names if None.

    Raises:
        StudyError: it is no study.
        ModelError: the machine does not know the server.
    """
    body = body_of(text)
    judged = any(scorer["name"] == "judge" for scorer in body["answer"].get("scorers", ()))
    names = [body["model"], *([judge_name(judge) or ""] if judged else [])]
    machine = read_machine(ws.home.path)
    servers: list[ChatSettings] = [chat_settings(name, machine) for name in names if is_chat(name)]
    return ServersAsked(
        tuple(dict.fromkeys(one.host for one in servers if not one.remote)),
        tuple(dict.fromkeys(one.host for one in servers if one.remote)),
        any(one.remote or one.price is not None for one in servers),
        judged,
        judge_name(judge) if judged else None,
    )

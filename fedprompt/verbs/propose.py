"""propose: a site would propose templates of its own; no site does yet."""

from typing import Literal

from fedprompt.verbs.forms import Task
from fedprompt.verbs.verb import Verb

__all__ = ["Propose", "ProposeTask"]


class ProposeTask(Task):
    """Propose templates; answered with "not-supported"."""

    verb: Literal["propose"] = "propose"


class Propose(Verb):
    """Answered with "not-supported"."""

    name = "propose"
    task = ProposeTask
    by_default = False
    unrehearsed = "propose: not supported"

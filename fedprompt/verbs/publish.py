"""publish: a template leaves with its text, once the site's operator has said yes; no task asks for it."""

from typing import Annotated, Literal

from pydantic import Field

from fedprompt.study.schema import TemplateSpec
from fedprompt.verbs.forms import TEXTS, Reply
from fedprompt.verbs.verb import Verb

__all__ = ["Publish", "PublishReply"]


class PublishReply(Reply):
    """A template that the site's operator chose to publish, text and all; a hub takes it by hand."""

    verb: Literal["publish"] = "publish"
    prompt: Annotated[str, Field(pattern=r"^p1:[0-9a-f]{32}$")]
    template: TemplateSpec


class Publish(Verb):
    """Sent by hand."""

    name = "publish"
    reply = PublishReply
    reply_bounds = TEXTS

"""``hub take``: a template that a site published comes into the hub's bank, once its signature says whose it is."""

from dataclasses import dataclass
from pathlib import Path

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.errors import EgressRefused, FederationError, PromptError
from fedprompt.prompts.origins import PUBLISHED
from fedprompt.prompts.prompt import Prompt
from fedprompt.verbs.publish import PublishReply
from fedprompt.verbs.wire import unpack_reply
from fedprompt.workspace.enrolled.hub_folder import HubFolder
from fedprompt.workspace.exchange.publication import SIGNED, Publication
from fedprompt.workspace.json_file import read_json
from fedprompt.workspace.workspace import Workspace

__all__ = ["Taken", "hub_take"]

_PUBLISHED = Bounds(4 * 1024 * 1024, values=50, nested=1, members=20, depth=1)


@dataclass(frozen=True)
class Taken:
    """A template that a site published, as it is in the bank now."""

    site: str
    prompt: str
    name: str
    text: str


def hub_take(ws: Workspace, file: Path) -> Taken:
    """Take a published template into the bank.

    Raises:
        FederationError: the file is none, or no site that takes part signed it.
    """
    from fedprompt.federation.transports.flare.vouch import member_that_signed

    folder = HubFolder(ws.home)
    about = folder.about
    try:
        found = checked_value(Publication, read_json(file) or {}, _PUBLISHED)
        data = bytes.fromhex(found.reply)
        reply = unpack_reply(data).message
    except (Unfit, EgressRefused):
        raise FederationError(
            f"{file} is not a template from 'fedprompt site publish'", code="not-a-publication"
        ) from None
    if found.federation != about["federation"] or not isinstance(reply, PublishReply):
        raise FederationError(f"{file} is not a template published to '{about['federation']}'", code="other-federation")
    signed = member_that_signed(folder.path, found.certificate.encode(), SIGNED + data, bytes.fromhex(found.signature))
    if signed is None or signed != found.site or signed not in folder.sites():
        raise FederationError(
            f"{file}: no participating site signed it as '{found.site}'; ask that site's operator for the file again",
            code="made-by-others",
        )
    try:
        prompt = Prompt(reply.template.template())
    except PromptError as error:
        raise FederationError(f"{file}: {error}", code=error.code) from error
    if prompt.id != reply.prompt:
        raise FederationError(f"{file}: the template's content does not match its id", code="another-content")
    ws.bank.record_prompt(prompt, study=None, origin=PUBLISHED.of(signed), notes={"federation": found.federation})
    template = reply.template
    text = template.text if template.text is not None else "\n".join(m.content for m in template.messages or ())
    return Taken(signed, prompt.id, prompt.name, text)

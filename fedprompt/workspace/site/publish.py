"""``site publish``: the text of one of the site's templates leaves, once its operator has read it and said yes.

It goes through the gate and into the ledger like every reply, and then into a file for the hub's operator, signed with
the key of the site's certificate.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fedprompt.auditing.repeated import repeated
from fedprompt.boundary.unfit import first_fault
from fedprompt.errors import FederationError
from fedprompt.evaluation.column_map import BY_NAME, Columns
from fedprompt.prompts.ids import canonical_json, content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.site.gate import Gate
from fedprompt.study.schema import DemonstrationsSpec, MessageSpec, TemplateSpec
from fedprompt.verbs.publish import PublishReply
from fedprompt.workspace.cases.site_of_file import cases_of
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.exchange.publication import SIGNED, Publication
from fedprompt.workspace.json_file import write_json
from fedprompt.workspace.workspace import Workspace

__all__ = ["Published", "Shown", "site_publish"]


@dataclass(frozen=True)
class Shown:
    """What the operator is asked about: the template, and which of its words stand in which private cases.

    ``repeats``: words of the template, ``WORDS`` in a row -> the lines of the cases' file in which they stand.
    """

    name: str
    text: str
    repeats: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Published:
    """A template that left: the file ``published``, the number of its ``entry`` in the ledger, and its ``bytes``.

    ``repeats``: words of the template -> the lines of the cases' file in which they stand.
    """

    site: str
    prompt: str
    name: str
    repeats: Mapping[str, tuple[int, ...]]
    published: str
    entry: int
    bytes: int


def site_publish(
    ws: Workspace,
    template: str,
    data: Path,
    *,
    confirm: Callable[[Shown], bool],
    columns: Columns = BY_NAME,
    out: Path | None = None,
    site: str | None = None,
    study: str | None = None,
) -> Published:
    """Publish a template of the home's bank and write ``NAME.published.json``.

    Args:
        template: its id, the beginning of one, or ``name@tag``.
        data: the site's file of cases; the template is compared with it here.
        confirm: hears what would leave and says whether it may.

    Raises:
        FederationError: the site has not joined, the prompt is not a plain template, or the operator said no.
        BankError: there is no such prompt.
        LedgerError: nothing can be written to the ledger, so nothing leaves.
    """
    from fedprompt.federation.transports.flare.vouch import sign_as_member

    chosen = enrolled(ws.home, site)
    if not chosen.kit.exists():
        raise FederationError(
            f"'{chosen.name}' has not joined yet, so it has no hub to publish to; join first", code="not-joined"
        )
    accepted = chosen.the_study(study)
    prompt = ws.bank.prompt(template)
    if prompt.soft is not None:
        raise FederationError(
            f"'{prompt.name}' has a soft prompt, but only a template's text can be published", code="words-only"
        )
    shown = Shown(
        prompt.name, _text(prompt.template), repeated(prompt.template, cases_of(data, accepted.study, columns))
    )
    if not confirm(shown):
        raise FederationError("nothing was published, because it was not confirmed", code="not-confirmed")
    folder = chosen.folder
    budget = min(accepted.study.privacy.replies, folder.policy.replies)
    gate = Gate(folder.ledger, folder.replies, study=accepted.digest, budget=budget)
    task = content_id("t1", canonical_json(["publish", accepted.digest, prompt.id]))
    question = task.removeprefix("t1:")
    try:
        reply = PublishReply(task=task, prompt=prompt.id, template=_spec(prompt))
    except ValidationError as error:
        raise FederationError(
            f"'{prompt.name}' cannot be sent ({first_fault(error).reason}); use a plainer or shorter name",
            code="not-well-formed",
        ) from error
    sent = gate.again(question) or gate.send(reply, question=question)
    entry = folder.ledger.last()
    assert entry is not None  # it is there before the bytes are handed on
    if entry.message["verb"] != "publish":
        raise FederationError(
            f"nothing was published: the gate refused it ({entry.message['code']})", code="gate-refused"
        )
    signature, certificate = sign_as_member(chosen.kit, SIGNED + sent.data)
    path = out or Path(f"{re.sub(r'[^A-Za-z0-9_-]+', '-', prompt.name)[:60]}.published.json")
    publication = Publication(
        federation=chosen.about["federation"],
        site=chosen.name,
        reply=sent.data.hex(),
        certificate=certificate.decode("ascii"),
        signature=signature.hex(),
    )
    write_json(path, publication.model_dump())
    return Published(
        site=chosen.name,
        prompt=prompt.id,
        name=prompt.name,
        repeats=shown.repeats,
        published=str(path),
        entry=entry.number,
        bytes=len(sent.data),
    )


def _text(template: Template) -> str:
    if template.text is not None:
        return template.text
    return "\n".join(f"{message.role}: {message.content}" for message in template.messages or ())


def _spec(prompt: Prompt) -> TemplateSpec:
    template = prompt.template
    shots = template.demonstrations
    return TemplateSpec(
        name=template.name,
        text=template.text,
        messages=None
        if template.messages is None
        else tuple(MessageSpec.model_validate({"role": m.role, "content": m.content}) for m in template.messages),
        words=None if template.words is None else dict(template.words),
        demonstrations=None if shots is None else DemonstrationsSpec(count=shots.count, separator=shots.separator),
    )

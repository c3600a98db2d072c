"""A prompt of a small study, in the bank and under a tag."""

from typing import Any

from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec
from fedprompt.workspace.keys import home_signer
from fedprompt.workspace.workspace import Workspace

__all__ = ["WORDS", "record"]

WORDS = {"positive": " good", "negative": " bad"}


def record(ws: Workspace, tag: str, text: str = "{text} =", model: str = "scripted", **answer: Any) -> str:
    """Put a prompt into the bank under a tag and return its id."""
    study = Study(
        study="mood",
        model=model,
        fields=("text", "title"),
        answer=Answer(**(answer or {"type": "choice", "labels": tuple(WORDS)})),
        templates=(TemplateSpec(name="plain", text="{text} ="),),
    )
    digest = study.digest(ScriptedModel().info.digest)
    ws.bank.record_study(study, digest, ScriptedModel().info.digest)
    template = Template("plain", text=text, words=None if answer else WORDS)
    soft = ScriptedModel().text_init("clearly good", 2) if "{soft}" in text else None
    id = ws.bank.record_prompt(Prompt(template, soft), study=digest, origin="study")
    ws.bank.tag_prompt(id, tag, by="tests", signer=home_signer(ws.home))
    return id

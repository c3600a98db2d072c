"""What was tried, taken further: a template kept in the bank, or candidates of a study, a new one or one kept here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from fedprompt.boundary.unfit import first_fault
from fedprompt.errors import PromptError, StudyError
from fedprompt.evaluation.drafting import dump_study
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.prompts.origins import PLAYGROUND
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Study, TemplateSpec
from fedprompt.workspace.acting import needs
from fedprompt.workspace.answers.tuned_part import tuned_part
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.cases.study_draft import study_yaml
from fedprompt.workspace.playground.trials import Check
from fedprompt.workspace.workspace import Workspace

__all__ = ["keep_variant", "study_of", "study_with"]


@needs("try")
def keep_variant(ws: Workspace, variant: Variant, name: str) -> str:
    """Keep a variant's template, with its soft prompt if it has one, in the bank; return its id.

    Raises:
        PromptError: it has no name, or is not well formed.
        BankError: its soft prompt is not in the bank.
    """
    if not name.strip() or len(name) > 80:
        raise PromptError("give the template a name of at most 80 characters", code="name-missing")
    made = variant.made()
    template = replace(made, name=name.strip())
    tuned = tuned_part(ws, template, variant.soft)
    parents = () if tuned is None or variant.soft is None else (ws.bank.prompt_row(variant.soft).id,)
    prompt = Prompt(template, tuned)
    kept = tuple(parent for parent in parents if parent != prompt.id)
    return ws.bank.record_prompt(prompt, study=None, origin=PLAYGROUND.key, parents=kept)


def study_of(name: str, variants: Sequence[Variant], checks: Sequence[Check]) -> str:
    """Return the YAML of a study that has the variants' templates as candidates.

    Labels make it a choice; without them the scorers judge what is written, ``exact`` where none was attached.

    Raises:
        StudyError: the variants do not make one study; says why.
    """
    first, labels = variants[0], variants[0].labels
    templates: dict[str, dict[str, Any]] = {}
    fields: dict[str, None] = {}
    for variant in variants:
        if set(variant.labels) != set(labels):
            raise StudyError(
                "the prompts have different labels, but a study has one set; use the same labels in all of them",
                code="different-answers",
            )
        made = variant.made()
        if made.has_soft:
            continue  # a tuned prompt is what a study ends with, not what it begins with
        fields |= dict.fromkeys(made.variables)
        called = _free(variant.name, templates)
        templates[called] = {"name": called, **_text(made)}
        if labels:
            templates[called]["words"] = dict(made.words or {})
    if not templates:
        raise StudyError(
            "every prompt has a {soft} slot; write one template without it to start a study", code="only-soft"
        )
    body = {
        "study": name,
        "model": first.model,
        "fields": list(fields),
        "answer": {"type": "choice", "labels": list(labels)} if labels else _written(first, checks),
        "metric": "accuracy" if labels else "score",
        "templates": list(templates.values()),
    }
    text = dump_study(body)
    try:
        Study.model_validate(body)
    except ValidationError as error:
        raise StudyError(_unfit(error), code="not-well-formed") from None
    parse_study(text, "the study", complete_scorers)
    return text


def study_with(study: Study, variants: Sequence[Variant]) -> str:
    """Return the YAML of a study with the variants' templates added to its candidates; those it has stay as they are.

    Raises:
        StudyError: none is new, or one does not fit the study's fields or answers; says why.
    """
    labels = study.answer.labels if study.answer.type == "choice" else ()
    there = {Prompt(one).id for one in study.candidates()}
    names = {spec.name: None for spec in study.templates}
    added: list[TemplateSpec] = []
    for variant in variants:
        if set(variant.labels) != set(labels):
            wanted = ", ".join(labels) or "none, because it asks for free text"
            raise StudyError(
                f"the labels of the study '{study.study}' differ from those of prompt '{variant.name}': {wanted}",
                code="different-answers",
            )
        made = variant.made()
        if made.has_soft or Prompt(made).id in there:
            continue
        there.add(Prompt(made).id)
        called = _free(variant.name, names)
        names[called] = None
        words = {"words": dict(made.words or {})} if labels else {}
        added.append(TemplateSpec.model_validate({"name": called, **_text(made), **words}))
    if not added:
        raise StudyError(
            f"the study '{study.study}' already has these templates; change one, or remove {{soft}}",
            code="nothing-new",
        )
    body = study.model_dump(mode="json")
    body["templates"] += [spec.model_dump(mode="json") for spec in added]
    try:
        return study_yaml(Study.model_validate(body))
    except ValidationError as error:
        raise StudyError(_unfit(error), code="not-well-formed") from None


def _unfit(error: ValidationError) -> str:
    fault = first_fault(error)
    place = ".".join(map(str, fault.place)) or "study"
    return f"this is not a valid study yet: {place}: {fault.reason}"


def _text(template: Template) -> dict[str, Any]:
    if template.tools:
        raise StudyError(
            f"the prompt '{template.name}' has tools, which a study's templates cannot hold; take them out",
            code="no-tools-here",
        )
    if template.messages is None:
        return {"text": template.text}
    return {"messages": [{"role": one.role, "content": one.content} for one in template.messages]}


def _written(first: Variant, checks: Sequence[Check]) -> dict[str, Any]:
    scorers: list[Any] = [_spec(check) for check in checks] or ["exact"]
    answer: dict[str, Any] = {"type": "generate", "scorers": scorers, "max_tokens": first.max_tokens}
    if first.temperature:
        answer |= {"temperature": first.temperature, "top_p": first.top_p, "seed": first.seed}
    if first.stop:
        answer["stop"] = list(first.stop)
    return answer


def _spec(check: Check) -> Any:
    more: dict[str, Any] = dict(check.scorer.options)
    if check.negate:
        more["negate"] = True
    return {"name": check.scorer.name, **more} if more else check.scorer.name


def _free(name: str, taken: Mapping[str, Any]) -> str:
    plain = "".join(c if c.isalnum() or c in " _.+/:-" else "-" for c in name)[:70] or "template"
    if plain not in taken:
        return plain
    return next(f"{plain} {n}" for n in range(2, 1000) if f"{plain} {n}" not in taken)

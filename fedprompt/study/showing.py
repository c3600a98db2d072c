"""Whether a study's prompts show the case: a template in which no field of the study stands asks the same of each case.

Invariant: such a template is refused where a study is read, with the text that would show the case where one is seen;
what is only odd is a note.
"""

import json
from collections.abc import Iterator, Sequence

from fedprompt.prompts.habits import Offer, double_braces, offered
from fedprompt.prompts.template import RESERVED, Template
from fedprompt.study.schema import Study

__all__ = ["notes", "unshown"]

Place = tuple[str | int, ...]
LONGEST = 400


def unshown(study: Study) -> tuple[Place, str] | None:
    """Return place and reason of the first template that does not show the case, None where all do."""
    for place, template in _templates(study):
        sources = _sources(place, template, study)
        if not any(name in study.fields for name in template.variables):
            for where, source in sources:
                if (found := offered(source, study.fields)) is not None:
                    return where, f"the template '{template.name}' never shows the case; {_instead(found)}"
            slot = "{" + study.fields[0] + "}"
            return place, (
                f"the template '{template.name}' never shows the case, because it uses none of the study's "
                f"fields; write {slot} where the case's {study.fields[0]} goes"
            )
        for where, source in sources:
            if (found := double_braces(source, study.fields)) is not None:
                return where, f"the template '{template.name}' shows a name instead of the case; {_instead(found)}"
    return None


def notes(study: Study) -> tuple[str, ...]:
    """Return what is odd about a study and may be meant: fields that nothing shows, signs that stay in the prompt."""
    found = [f"no template shows the field '{name}', although every case must have it" for name in _unused(study)]
    for place, template in _templates(study):
        for _, source in _sources(place, template, study):
            for name in template.variables:
                if "${" + name + "}" in source:
                    found.append(f"the '$' before {{{name}}} in '{template.name}' stays in the prompt")
                if "{{{" + name + "}}}" in source:
                    found.append(f"'{template.name}' shows braces around {{{name}}}")
        if template.text is not None and template.text.endswith("\n"):
            found.append(
                f"'{template.name}' ends with a line break, so the answer starts on a new line. If you used "
                "'|' in YAML, '|-' removes the line break"
            )
    return tuple(dict.fromkeys(found))


def _instead(found: Offer) -> str:
    shown = found.text if len(found.text) <= LONGEST else f"{found.text[:LONGEST]}…"
    return (
        f"{found.found[:80]} is plain text here; a field is written {{{found.field}}}. Write "
        f"{json.dumps(shown, ensure_ascii=False)}"
    )


def _templates(study: Study) -> Iterator[tuple[Place, Template]]:
    for number, spec in enumerate(study.templates):
        yield ("templates", number), spec.template()
    if study.soft is not None:
        yield ("soft",), study.soft_template()


def _sources(place: Place, template: Template, study: Study) -> Sequence[tuple[Place, str]]:
    """Return the texts of a template, each with its place in the study."""
    if template.text is not None:
        return [((*place, "template" if place == ("soft",) else "text"), template.text)]
    return [((*place, "messages", n, "content"), one.content) for n, one in enumerate(template.messages or ())]


def _unused(study: Study) -> list[str]:
    """Return the fields that stand in no template and that no scorer is shown."""
    shown = {name for _, template in _templates(study) for name in template.variables} - RESERVED
    judged = {str(name) for one in study.answer.scorers for name in _shown_to(one.options.get("show"))}
    return [name for name in study.fields if name not in shown | judged]


def _shown_to(option: object) -> Sequence[object]:
    return option if isinstance(option, list | tuple) else ()

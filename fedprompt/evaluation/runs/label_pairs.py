"""Which labels of a study begin one another to a model's tokenizer.

Asked of the templates with empty fields, before any case is read. How they are told apart: ``models.nested``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fedprompt.errors import ModelError
from fedprompt.models.nested import Nested
from fedprompt.prompts.rendered import Rendered
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study

__all__ = ["LabelPair", "WordReader", "label_pairs", "told"]


class WordReader(Protocol):
    """Whatever reads words as a model does: the model itself, or its tokenizer alone."""

    def nested(self, rendered: Rendered, words: Sequence[str]) -> Nested:
        """Return which words' tokens begin others' after a prompt."""
        ...


@dataclass(frozen=True)
class LabelPair:
    """Two labels of a template where the tokens of ``shorter``'s word begin those of ``longer``'s."""

    template: str
    shorter: str
    longer: str


def label_pairs(reader: WordReader, study: Study) -> tuple[LabelPair, ...]:
    """Return the pairs of a study's templates, the one with the soft slot included; none for free text.

    Raises:
        ModelError: two labels of a template have the same tokens, so that nothing tells them apart; or the model has
            no format for a template's messages.
    """
    if study.answer.type != "choice":
        return ()
    found: list[LabelPair] = []
    for template in (*study.candidates(), *([] if study.soft is None else [study.soft_template()])):
        words = template.words or {}
        labels = list(study.answer.labels)
        nested = reader.nested(_empty(template, study), [words[label] for label in labels])
        if nested.same:
            one, other = (labels[place] for place in nested.same[0])
            raise ModelError(
                f"template '{template.name}': the labels '{one}' and '{other}' have words with the same "
                "tokens, so this model cannot distinguish them; give one of them another word under 'words:'",
                code="same-tokens",
            )
        found += [LabelPair(template.name, labels[a], labels[b]) for a, b in nested.pairs]
    return tuple(found)


def told(pair: LabelPair) -> str:
    """Return a pair in a sentence."""
    return (
        f"template '{pair.template}': the tokens of '{pair.shorter}' are the start of those of "
        f"'{pair.longer}', so '{pair.shorter}' counts only texts that do not continue to '{pair.longer}'"
    )


def _empty(template: Template, study: Study) -> Rendered:
    """Return the template with empty fields."""
    fields = dict.fromkeys(study.fields, "")
    shown = (
        [] if template.demonstrations is None else [(fields, study.answer.labels[0])] * template.demonstrations.count
    )
    return template.render(fields, shown)

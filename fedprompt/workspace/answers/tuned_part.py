"""What a variant takes of a tuned prompt of the bank: its soft prompt where there is a slot, its adapter elsewhere."""

from fedprompt.prompts.template import Template
from fedprompt.prompts.tensors import Tensors
from fedprompt.workspace.workspace import Workspace

__all__ = ["tuned_part"]


def tuned_part(ws: Workspace, template: Template, prompt: str | None) -> Tensors | None:
    """Return what was tuned of a prompt, where it fits the template; None where nothing does.

    Args:
        template: with a slot or without.
        prompt: an id, or None.

    Raises:
        BankError: the bank has no such prompt.
    """
    if prompt is None:
        return None
    found = ws.bank.prompt(prompt)
    return found.soft if template.has_soft else found.adapter

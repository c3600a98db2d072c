"""Whether a site may load a study's model, asked before anything of it is loaded or fetched.

A study names its model, so whoever writes studies could have a site fetch and run one. Invariant: an action of a site
that needs the model of a study asks here first.
"""

from dataclasses import dataclass

from fedprompt.errors import ModelError
from fedprompt.models.sources import Source, is_listed, source_of
from fedprompt.site.policy import Policy
from fedprompt.study.schema import Study
from fedprompt.workspace.enrolled.site_folder import Accepted
from fedprompt.workspace.home import Home

__all__ = ["ModelLoaded", "model_loaded", "permitted", "why_not_listed"]


@dataclass(frozen=True)
class ModelLoaded:
    """Which model a study loads: its source as a word and in words, and its digest, each None where it is not known.

    ``refused`` says why the site does not load it now, None where its policy lists it.
    """

    model: str
    model_source: str | None
    model_from: str | None
    model_digest: str | None
    refused: str | None


def permitted(home: Home, policy: Policy, study: Study) -> Source:
    """Return where the study's model comes from, since the site's policy lists it.

    Raises:
        ModelError: the policy does not list it, or no model has that name.
    """
    source = source_of(study.model, home.path)
    if (told := why_not_listed(source, policy)) is not None:
        raise ModelError(told, code="model-not-listed")
    return source


def why_not_listed(source: Source, policy: Policy) -> str | None:
    """Return in a sentence why a site does not load a model, None where its policy lists it."""
    if is_listed(source, policy.models):
        return None
    listed = ",".join((*policy.models, source.name))
    return (
        f"this site's policy does not allow the model '{source.name}' ({source.told}), so nothing was loaded "
        f"or downloaded; to allow it, run 'fedprompt site policy --models {listed}'"
    )


def model_loaded(home: Home, policy: Policy, accepted: Accepted) -> ModelLoaded:
    """Return which model an accepted study loads. Nothing is loaded for it."""
    name = accepted.study.model
    try:
        source = source_of(name, home.path)
    except ModelError as error:
        return ModelLoaded(name, None, None, accepted.model_digest, str(error))
    return ModelLoaded(name, source.kind, source.told, accepted.model_digest, why_not_listed(source, policy))

"""``site policy``: shows and changes what the operator allows."""

from dataclasses import dataclass, field
from typing import Any

from fedprompt.boundary.checked import Unfit, checked_value
from fedprompt.errors import DataError
from fedprompt.models.chat.config import read_machine
from fedprompt.site.policy import BOUNDS, Policy, write_policy
from fedprompt.workspace.as_json import INLINE
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home

__all__ = ["SitePolicy", "site_policy"]


@dataclass(frozen=True)
class SitePolicy:
    """What a site allows: its policy, the digests of the accepted ``studies``, the ``hosts`` of ``models.toml``."""

    site: str
    studies: tuple[str, ...]
    policy: Policy = field(metadata=INLINE)
    hosts: tuple[str, ...]


def site_policy(home: Home, changes: dict[str, Any], *, site: str | None = None) -> SitePolicy:
    """Change what is given and return the whole policy.

    Raises:
        DataError: a value is not one of a policy; names the field.
    """
    chosen = enrolled(home, site)
    policy = chosen.folder.policy
    if changes:
        try:
            policy = checked_value(Policy, {**policy.model_dump(mode="json"), **changes}, BOUNDS)
        except Unfit as error:
            field = ".".join(map(str, error.place)) or "quiet_hours"
            raise DataError(f"policy, {field}: {error.reason}", code="not-well-formed") from None
        write_policy(chosen.folder.policy_file, policy)
    return SitePolicy(
        site=chosen.name,
        studies=tuple(accepted.digest for accepted in chosen.accepted()),
        policy=policy,
        hosts=tuple(read_machine(home.path).allow),
    )

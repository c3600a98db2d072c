"""``site policy``: shows and changes what the operator allows."""

from typing import Any

from fedprompt.boundary.checked import Unfit, checked_value
from fedprompt.errors import DataError
from fedprompt.models.chat.config import read_machine
from fedprompt.site.policy import BOUNDS, Policy, write_policy
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import Home

__all__ = ["site_policy"]


def site_policy(home: Home, changes: dict[str, Any], *, site: str | None = None) -> dict[str, Any]:
    """Change what is given and return the whole policy.

    With it come the digests of the accepted studies, and the hosts that the machine's ``models.toml`` allows.

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
            raise DataError(f"policy, {field}: {error.reason}") from None
        write_policy(chosen.folder.policy_file, policy)
    return {
        "site": chosen.name,
        "studies": [accepted.digest for accepted in chosen.accepted()],
        **policy.model_dump(mode="json"),
        "hosts": list(read_machine(home.path).allow),
    }

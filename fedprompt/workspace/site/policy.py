"""``site policy``: shows and changes what the operator allows."""

from typing import Any

from pydantic import ValidationError

from fedprompt.errors import DataError
from fedprompt.models.chat.config import read_machine
from fedprompt.site.policy import Policy, write_policy
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
            policy = Policy.model_validate({**policy.model_dump(mode="json"), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "quiet_hours"
            raise DataError(f"policy, {field}: {first['msg']}") from error
        write_policy(chosen.folder.policy_file, policy)
    return {
        "site": chosen.name,
        "studies": [accepted.digest for accepted in chosen.accepted()],
        **policy.model_dump(mode="json"),
        "hosts": list(read_machine(home.path).allow),
    }

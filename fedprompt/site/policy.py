"""What a site's operator allows beyond accepting a study: verbs, models, tasks a day, a floor for min_cases, hours."""

import re
from datetime import datetime, time
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from fedprompt.boundary.checked import Bounds, Unfit, checked_json
from fedprompt.errors import DataError
from fedprompt.models.sources import WORDS
from fedprompt.private_file import write_private
from fedprompt.study.dp import MOST_EPSILON
from fedprompt.study.schema import Closed
from fedprompt.study.sharing import absent
from fedprompt.verbs.registry import asked_by_default, asked_verbs

__all__ = ["BOUNDS", "Policy", "Verb", "read_policy", "write_policy"]


def _known(name: str) -> str:
    if name not in asked_verbs():
        raise ValueError(f"unknown verb '{name}'; use one of {', '.join(asked_verbs())}")
    return name


Verb = Annotated[str, AfterValidator(_known)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=300)]  # as long as in a study
MAX_POLICY_BYTES = 64 * 1024
BOUNDS = Bounds(MAX_POLICY_BYTES, values=200, nested=4, members=20, depth=3)
MOST_MODELS = 64
_HOURS = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")


class Policy(Closed):
    """``quiet_hours`` is ``HH:MM-HH:MM`` in the machine's time, over midnight too.

    ``models`` lists which models the site may load: single ones by the name that a study writes, and words for kinds of
    sources (``models.sources.WORDS``): ``bundled`` with fedprompt, ``here`` on this machine already, ``servers``
    elsewhere whose host the machine's ``models.toml`` allows. Nothing is fetched for a study but what is named.
    ``replies`` bounds the replies to one study below what the study says, ``parameters`` how many numbers a round may
    move, and ``epsilon`` what cases spend of a budget of privacy, in all studies together. With ``near`` a site refuses
    prompts that lie further from the study's start than honest rounds can move them (``site.brought``). ``weights`` is
    how many the largest model has that a study may train here.
    """

    verbs: Annotated[tuple[Verb, ...], Field(max_length=32)] = asked_by_default()
    models: Annotated[tuple[ModelName, ...], Field(max_length=MOST_MODELS)] = WORDS
    tasks_a_day: Annotated[int, Field(ge=0, le=10**9)] = 10_000
    replies: Annotated[int, Field(ge=0, le=10**9)] = 10_000
    min_cases: Annotated[int, Field(ge=1, le=10**9)] = 1
    parameters: Annotated[int, Field(ge=0, le=10**12)] = 10_000_000
    quiet_hours: Annotated[str, StringConstraints(max_length=20)] | None = None
    near: bool = False
    epsilon: Annotated[float | None, Field(gt=0, le=MOST_EPSILON, allow_inf_nan=False, exclude_if=absent)] = None
    weights: Annotated[int | None, Field(ge=1, le=10**13, exclude_if=absent)] = None

    @model_validator(mode="after")
    def _readable(self) -> "Policy":
        if self.quiet_hours is not None and not _HOURS.match(self.quiet_hours):
            raise ValueError("quiet_hours must be HH:MM-HH:MM, for example 22:00-06:00")
        return self

    def quiet_at(self, now: datetime) -> bool:
        """Say whether ``now`` is in the quiet hours."""
        if self.quiet_hours is None:
            return False
        begin, end = (time.fromisoformat(part) for part in self.quiet_hours.split("-"))
        at = now.time()
        return begin <= at < end if begin <= end else at >= begin or at < end


def read_policy(path: Path) -> Policy:
    """Return the policy in a file, the default where there is none.

    Raises:
        DataError: it cannot be read or is not a policy; names the field.
    """
    try:
        with path.open("rb") as file:
            return checked_json(Policy, file.read(MAX_POLICY_BYTES + 1), BOUNDS)
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise DataError(f"{path}: the site's policy cannot be read ({error.strerror})", code="cannot-read") from error
    except Unfit as error:
        field = ".".join(map(str, error.place)) or "policy"
        raise DataError(
            f"{path}, {field}: {error.reason}; correct it with 'fedprompt site policy'", code="not-well-formed"
        ) from None


def write_policy(path: Path, policy: Policy) -> None:
    """Write a policy as a private file."""
    write_private(path, policy.model_dump_json(indent=2) + "\n")

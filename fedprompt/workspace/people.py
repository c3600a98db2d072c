"""Who a visitor is and what their role lets them do, from the claims that a sign-in gave and this machine's own rules.

The rules lie in ``people.toml`` in the home. Invariant: a role comes from a claim or an address that the rules name,
and from nothing else; fewer claims never give a higher role, and an address counts only where the sign-in says that it
was verified.
"""

import getpass
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from fedprompt.boundary.checked import Bounds, Unfit, checked_value
from fedprompt.boundary.closed import Closed
from fedprompt.errors import FedPromptError
from fedprompt.workspace.home import Home

__all__ = [
    "DEEDS",
    "FILE",
    "ROLES",
    "Deed",
    "Person",
    "Role",
    "Rules",
    "is_fresh",
    "machine_person",
    "person_of",
    "read_rules",
]

Role = Literal["nobody", "viewer", "engineer", "operator"]
Deed = Literal["try", "tune", "tag", "exchange", "production", "retire", "federate", "publish"]

ROLES: tuple[Role, ...] = ("nobody", "viewer", "engineer", "operator")  # each may do what those before it may
DEEDS: Mapping[Deed, tuple[Role, str]] = {
    "try": ("engineer", "Trying prompts"),
    "tune": ("engineer", "Scoring and tuning"),
    "tag": ("engineer", "Tagging prompts"),
    "exchange": ("engineer", "Importing and exporting"),
    "production": ("operator", "Deciding what is in production"),
    "retire": ("operator", "Retiring prompts"),
    "federate": ("operator", "Controlling a federation"),
    "publish": ("operator", "Publishing"),
}
FILE = "people.toml"
MAX_BYTES = 256 * 1024
_BOUNDS = Bounds(MAX_BYTES, values=40_000, nested=20, members=100, depth=4)
LONGEST_NAME, LONGEST_EMAIL = 80, 100
DEEPEST = 8
SKEW = 300  # seconds that the clocks of a provider and of this machine may differ

Listed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Names = Annotated[tuple[Listed, ...], Field(max_length=5000)]


@dataclass(frozen=True)
class Person:
    """Who uses the app; ``subject`` tells people apart and is empty only for the user of a machine without sign-in.

    ``email`` is empty unless the sign-in says that it was verified.
    """

    name: str
    email: str
    subject: str
    role: Role

    @property
    def label(self) -> str:
        """What the bank's log calls them: the name, and what tells it from others' of that name."""
        if self.email:
            return f"{self.name} <{self.email}>" if self.email != self.name else self.name
        return f"{self.name} ({self.mark[:8]})" if self.subject else self.name

    @property
    def mark(self) -> str:
        """32 hexadecimal digits that stand for the subject in the bank; empty without sign-in."""
        return blake2b(self.subject.encode(), digest_size=16).hexdigest() if self.subject else ""

    def why_not(self, deed: Deed) -> str | None:
        """Return in a sentence why this person may not do something, None where they may."""
        needed, what = DEEDS[deed]
        if ROLES.index(self.role) >= ROLES.index(needed):
            return None
        return (
            f"{what} needs the role {needed}, but your role is {self.role}. The operator of this machine assigns "
            f"roles in {FILE}."
        )

    def require(self, deed: Deed) -> None:
        """Let a deed pass or refuse it.

        Raises:
            FedPromptError: this person may not do it.
        """
        if (why := self.why_not(deed)) is not None:
            raise FedPromptError(why, code="not-allowed")


class Lists(Closed):
    """Who has which role, by one kind of value."""

    operator: Names = ()
    engineer: Names = ()
    viewer: Names = ()

    def roles_of(self, values: set[str]) -> list[Role]:
        """Return the roles whose lists hold one of the values."""
        lists: tuple[tuple[Role, Names], ...] = (
            ("operator", self.operator),
            ("engineer", self.engineer),
            ("viewer", self.viewer),
        )
        return [role for role, listed in lists if values.intersection(listed)]


class Addresses(Lists):
    """Who has which role by e-mail address, whose letters' case means nothing."""

    @field_validator("operator", "engineer", "viewer")
    @classmethod
    def _without_case(cls, listed: Names) -> Names:
        if odd := next((one for one in listed if "@" not in one), None):
            raise ValueError(f"'{odd}' is not an address; write ada@example.org, or @example.org for a whole domain")
        return tuple(one.casefold() for one in listed)


class Rules(Lists):
    """What ``people.toml`` says.

    The lists hold values of ``claim``; ``emails`` holds addresses, or ``@domain`` for every address of it. ``others``
    is the role of whoever is not listed. After ``hours`` a sign-in has to be renewed.
    """

    claim: Annotated[str, StringConstraints(max_length=200)] = ""
    emails: Addresses = Addresses()
    others: Literal["viewer", "nobody"] = "viewer"
    hours: Annotated[int, Field(ge=1, le=720)] = 12

    @field_validator("claim")
    @classmethod
    def _no_address(cls, claim: str) -> str:
        if claim in ("email", "name", "nickname", "preferred_username"):
            raise ValueError(f"people may be able to choose their own {claim}; use a claim of groups or roles, or sub")
        return claim

    @model_validator(mode="after")
    def _lists_have_a_claim(self) -> Self:
        if not self.claim and (self.operator or self.engineer or self.viewer):
            raise ValueError("there are values but no claim; add for example: claim = 'groups'")
        return self


def person_of(claims: Mapping[str, object], rules: Rules) -> Person:
    """Return who the claims of an ID token are about, with the highest role that the rules give for them.

    Claims without a subject (``sub``) are nobody's.
    """
    subject, issuer = _text(claims.get("sub")), _text(claims.get("iss"))
    email = _text(claims.get("email")) if _is_true(claims.get("email_verified")) else ""
    name = _text(claims.get("name")) or _text(claims.get("preferred_username")) or email or subject
    roles: list[Role] = [rules.others] if subject else []
    if subject and rules.claim:
        roles += rules.roles_of(set(_values(claims, rules.claim)))
    if subject and "@" in email:
        address = email.casefold()
        roles += rules.emails.roles_of({address, "@" + address.rpartition("@")[2]})
    role: Role = max(roles, key=ROLES.index, default="nobody")
    who = f"{issuer}\n{subject}" if subject else ""
    return Person(_line(name, LONGEST_NAME) or "somebody", _line(email, LONGEST_EMAIL), who, role)


def is_fresh(claims: Mapping[str, object], rules: Rules, now: float) -> bool:
    """Return whether a sign-in, by the time at which its token was issued (``iat``), still counts at ``now``."""
    issued = claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        return False
    return -SKEW <= now - issued < rules.hours * 3600


def machine_person() -> Person:
    """Return the one person of a machine without sign-in: its user, who may do everything."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # no such user, as in some containers
        name = ""
    return Person(name, "", "", "operator")


def read_rules(home: Home) -> Rules:
    """Return what ``people.toml`` in the home says; without the file, whoever signs in is a viewer.

    Raises:
        FedPromptError: it cannot be read, others may write to it, or it says something odd.
    """
    path = home.path / FILE
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o022:
                raise FedPromptError(
                    f"{path} is writable by others; check who is listed in it, then run 'chmod 600' on it",
                    code="others-can-write",
                )
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return Rules()
    except OSError as error:
        raise FedPromptError(
            f"{path} cannot be read ({error.strerror}); nobody can sign in until then", code="cannot-read"
        ) from error
    if len(content) > MAX_BYTES:
        raise FedPromptError(
            f"{path} is longer than {MAX_BYTES // 1024} KB; list groups instead of people", code="too-large"
        )
    return _rules(path, content)


def _rules(path: Path, content: bytes) -> Rules:
    try:
        return checked_value(Rules, tomllib.loads(content.decode()), _BOUNDS)
    except Unfit as error:
        where = ".".join(map(str, error.place))
        raise FedPromptError(
            f"{path}{', ' + where if where else ''}: {error.reason}; see the guide on signing in",
            code="not-well-formed",
        ) from None
    except (ValueError, RecursionError) as error:
        raise FedPromptError(
            f"{path} is not valid TOML ({error}); correct it, nobody can sign in until then", code="not-toml"
        ) from error


def _values(claims: Mapping[str, object], claim: str) -> Iterator[str]:
    """Yield the texts of a claim: of the one that bears the whole name, and of the one that dots lead to."""
    found: object = claims
    for part in claim.split(".", DEEPEST):
        found = found.get(part) if isinstance(found, Mapping) else None
    for value in (claims.get(claim), found):
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, str):
                yield one


def _is_true(value: object) -> bool:
    return value is True or value == "true"  # some providers write it as text


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _line(text: str, most: int) -> str:
    """Return text in one line, without what does not print and what ``label`` puts around an address."""
    return "".join(mark if mark.isprintable() and mark not in "<>" else " " for mark in text).strip()[:most]

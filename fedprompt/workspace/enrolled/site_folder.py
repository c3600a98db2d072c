"""What a site keeps beside its key, splits and ledger: the hub's address, its kit, accepted studies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import FederationError, StudyError
from fedprompt.site.folder import SiteFolder
from fedprompt.study.labels import KEPT
from fedprompt.study.schema import Study
from fedprompt.workspace.home import Home
from fedprompt.workspace.json_file import read_json
from fedprompt.workspace.liveness import is_running

__all__ = ["Accepted", "EnrolledSite", "enrolled", "enrolled_sites"]


@dataclass(frozen=True)
class Accepted:
    """A study that the operator accepted: its pinned digest, itself, when, and its model's digest.

    ``model_digest`` is None where it was accepted by a version that did not keep it; ``digest`` covers it all the same.
    ``agreed``: what the operator agreed to by accepting it that cannot be undone, in sentences.
    """

    digest: str
    study: Study
    accepted: str
    model_digest: str | None = None
    agreed: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnrolledSite:
    """One site of a home, by its ``name``."""

    name: str
    folder: SiteFolder

    @property
    def home(self) -> Home:
        """The home that it lies in."""
        return Home(self.folder.path.parents[1])

    @property
    def about(self) -> Mapping[str, Any]:
        """``site``, ``org``, ``federation``, ``host``, ``port``, ``admin_port`` and ``authority``, as invited.

        Raises:
            FederationError: the site was not enrolled.
        """
        found = read_json(self.folder.path / "site.json")
        if found is None:
            raise FederationError(
                f"'{self.name}' is not enrolled; start with 'fedprompt site init INVITE'", code="not-enrolled"
            )
        return found

    @property
    def requested(self) -> Path:
        """Where the key that was made for the request lies."""
        return self.folder.path / "enrolment"

    @property
    def kit(self) -> Path:
        """What NVFLARE runs from, once the site has joined."""
        return self.folder.path / "kit"

    @property
    def studies(self) -> Path:
        """A file for each accepted study."""
        return self.folder.path / "studies"

    def accepted(self) -> tuple[Accepted, ...]:
        """The accepted studies, by digest.

        Raises:
            StudyError: a file is damaged.
        """
        found = []
        for path in sorted(self.studies.glob("s1-*.json")):
            body = read_json(path) or {}
            try:
                study = Study.model_validate(body["study"], context=KEPT)
                agreed = tuple(map(str, body.get("agreed", ())))
                found.append(Accepted(body["digest"], study, body["accepted"], body.get("model_digest"), agreed))
            except (KeyError, ValueError) as error:
                raise StudyError(f"{path} is damaged; decline the study and accept it again", code="damaged") from error
        return tuple(found)

    def the_study(self, wanted: str | None) -> Accepted:
        """Return the accepted study, or the one whose digest or name is ``wanted`` where there are several.

        Raises:
            StudyError: none was accepted, or several were and none is wanted.
        """
        accepted = self.accepted()
        if not accepted:
            raise StudyError(
                f"'{self.name}' has no accepted study; review one with 'fedprompt site study show FILE'",
                code="no-study-accepted",
            )
        if wanted is not None:
            accepted = tuple(a for a in accepted if a.digest.startswith(wanted) or a.study.study == wanted)
        if len(accepted) != 1:
            told = ", ".join(f"{a.study.study} ({a.digest})" for a in accepted) or "no study with that name"
            raise StudyError(f"'{self.name}' has accepted {told}; choose one with --study DIGEST", code="which-study")
        return accepted[0]

    @property
    def running(self) -> dict[str, Any] | None:
        """``pid``, ``study`` and ``since`` of the ``site run`` that lives now, or None."""
        found = read_json(self.folder.path / "running.json")
        return found if found is not None and is_running(int(found["pid"])) else None


def enrolled_sites(home: Home) -> tuple[str, ...]:
    """Return the names of the home's enrolled sites."""
    return tuple(sorted(path.parent.name for path in home.sites.glob("*/site.json")))


def enrolled(home: Home, name: str | None) -> EnrolledSite:
    """Return the home's one enrolled site, or the one of this name.

    Raises:
        FederationError: there is none, or there are several and none is named.
    """
    names = enrolled_sites(home)
    if name is None and len(names) == 1:
        name = names[0]
    if name is None or name not in names:
        told = ", ".join(names) or "none; start with 'fedprompt site init INVITE'"
        raise FederationError(
            f"choose a site: this home has {told}" + (" (say --site NAME)" if names else ""), code="which-site"
        )
    return EnrolledSite(name, SiteFolder(home.sites / name))

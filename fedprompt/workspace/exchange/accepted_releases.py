"""Which release of its hub a site accepted last: an older one that is shown again is refused.

Invariant: what a hub's authority vouches for is accepted in the order in which the hub signed it, unless the operator
names an older number on purpose; and that takes nothing back. Releases of older versions have no number, and are told
apart by the time that the hub signed.
"""

from pathlib import Path

from fedprompt.errors import FederationError
from fedprompt.workspace.enrolled.site_folder import EnrolledSite
from fedprompt.workspace.exchange.release import Release
from fedprompt.workspace.json_file import now, read_json, write_json

__all__ = ["accept_release", "check_release"]


def check_release(site: EnrolledSite, release: Release, wanted: int | None = None) -> None:
    """Refuse a release that is older than the newest one that this site accepted.

    Args:
        wanted: the number that the operator named, to take this one though it is older.

    Raises:
        FederationError: it is older, or is another one than was named.
    """
    if wanted is not None:
        if wanted != release.number:
            raise FederationError(
                f"this is release number {release.number} of {release.made}, not number {wanted}; nothing was accepted",
                code="other-release",
            )
        return
    newest = read_json(_file(site))
    if newest is None or release.signature == newest["signature"]:
        return
    if _order(release) <= (newest["number"], newest["made"]):
        raise FederationError(
            f"this is release number {release.number} of {release.made}, but '{site.name}' already accepted "
            f"number {newest['number']} of {newest['made']}. An attacker could show you an old release again. "
            f"If you want this one, use '--number {release.number}'",
            code="older-release",
        )


def accept_release(site: EnrolledSite, release: Release) -> None:
    """Remember a release that was checked, if it is the newest."""
    newest = read_json(_file(site))
    if newest is None or _order(release) > (newest["number"], newest["made"]):
        body = {"number": release.number, "made": release.made, "signature": release.signature, "accepted": now()}
        write_json(_file(site), body)


def _order(release: Release) -> tuple[int, str]:
    return release.number, release.made


def _file(site: EnrolledSite) -> Path:
    return site.folder.path / "newest-release.json"

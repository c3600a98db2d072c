"""A pack as a home takes it: found by name or path, no older than what was pulled, and of the study that is meant.

``public:NAME`` comes with fedprompt; ``questions`` is what ``site pull`` kept of a federation's study of that name.
Anything else is the folder or zip of a release, or of a pack by itself. Invariant: a release is taken only if its hub
signed it, and in a home that joined its federation only if the authority vouches for that hub and no newer one was
pulled; a pack that a newer one has superseded is never taken. The model is one that this home knows by its digest,
whatever name the pack gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedprompt.errors import ExportError
from fedprompt.models.assets.catalogue import MODELS
from fedprompt.models.registry import BUILT_IN
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.workspace.enrolled.site_folder import EnrolledSite, enrolled, enrolled_sites
from fedprompt.workspace.exchange.accepted_releases import check_release
from fedprompt.workspace.exchange.exporting import looked_at
from fedprompt.workspace.exchange.kept_packs import kept_pack, superseded_by
from fedprompt.workspace.exchange.pack_files import (
    PREFIX,
    OpenedPack,
    open_pack,
    public_pack,
    public_packs,
    write_pack,
)
from fedprompt.workspace.exchange.pack_schema import Member, MemberKind, Pack
from fedprompt.workspace.exchange.pack_text import read_digests
from fedprompt.workspace.exchange.release import Release, is_release, read_release
from fedprompt.workspace.home import Home
from fedprompt.workspace.workspace import Workspace

__all__ = [
    "Member",
    "MemberKind",
    "Pack",
    "PackFile",
    "find_pack",
    "public_packs",
    "read_pack",
    "write_pack",
]


@dataclass(frozen=True)
class PackFile(OpenedPack):
    """A pack that this home may use; its model is loaded by ``model_name``, and nothing of the file's own says that.

    ``study`` is what the home knows of it. ``texts`` are digests of the public texts that it was made from. ``release``
    is what signed it, None for a public pack and for one that lies by itself; ``vouched``: whether the authority that
    this home knows stands for the signature.
    """

    model_name: str
    study: Study | None
    texts: frozenset[bytes]
    release: Release | None
    vouched: bool


def read_pack(ws: Workspace, reference: str | Path, study: Path | None = None) -> PackFile:
    """Return a pack, once it was seen to be whole, fresh, and of the study and the model that are meant.

    Args:
        ws: the workspace.
        reference: ``public:NAME``, the name of a pack that was pulled, or the path of a folder or zip.
        study: the study that it has to belong to, if that is known.

    Raises:
        ExportError: there is no such pack, or it is damaged, hostile, superseded, or of another study or class set.
        FederationError: it was not signed by the hub that this home knows, or is older than one that was pulled.
        StudyError: the study's file is none.
    """
    path, kept = find_pack(ws.home, reference)
    public = str(reference).startswith(PREFIX)
    opened, release, vouched = _opened(ws.home, path, kept=kept)
    federation = None if release is None else release.federation
    by = None if public else superseded_by(ws.home, opened.pack.id, federation)
    if by is not None:
        raise ExportError(
            f"{path}: release number {by.number} of '{by.federation}' replaces this pack, because a "
            "contributing site has left; get the newer one with 'fedprompt site pull'",
            code="superseded",
        )
    wanted = None if study is None else read_study(study)
    if wanted is not None:
        _check_study(opened, wanted, study)
    else:
        known = [row.study for row in ws.bank.studies() if row.digest == opened.pack.digest]
        wanted = known[0] if known else None
    name = wanted.model if wanted is not None else _model_name(ws, opened)
    texts = read_digests(path.with_suffix(".texts")) if public else frozenset()
    return PackFile(opened.pack, opened.members, path, name, wanted, texts, release, vouched)


def find_pack(home: Home, reference: str | Path) -> tuple[Path, bool]:
    """Return where a pack lies, and whether ``site pull`` kept it there.

    Raises:
        ExportError: there is none.
    """
    text = "" if reference == Path() else str(reference).strip()
    if not text:
        raise ExportError("no pack given; give a name or a path", code="not-a-pack")
    if (public := public_pack(text)) is not None:
        return public, False
    if "/" not in text and (kept := kept_pack(home, text)) is not None:
        return kept, True
    path = looked_at(Path(text))
    if not path.exists():
        names = ", ".join(f"public:{name}" for name in public_packs())
        raise ExportError(
            f"there is no pack '{text[:200]}': no file with this path, and no pulled pack with this name. Get "
            f"one with 'fedprompt site pull'; fedprompt includes {names or 'none'}",
            code="no-such-pack",
        )
    return path, False


def _opened(home: Home, path: Path, *, kept: bool) -> tuple[OpenedPack, Release | None, bool]:
    """Return a pack, what signed it, and whether the authority that this home knows stands for that."""
    claimed = is_release(path)
    if claimed is None:
        return open_pack(path), None, False
    site = _site_of(home, claimed.federation)
    if site is None:
        opened = read_release(path, federation=claimed.federation, kit=None)
    else:
        opened = read_release(path, federation=claimed.federation, kit=site.kit)
        if not kept:  # what lies there was pulled, an older one only where the operator said its number
            check_release(site, opened.release)
    if opened.pack is None:
        raise ExportError(
            f"{path}: this release has no pack of shared prompts; ask the hub's operator for the release of a "
            "run that tuned soft prompts with this version of fedprompt",
            code="not-a-pack",
        )
    return opened.pack, opened.release, site is not None


def _site_of(home: Home, federation: str) -> EnrolledSite | None:
    """Return a site of this home that joined the federation."""
    for name in enrolled_sites(home):
        site = enrolled(home, name)
        if site.about.get("federation") == federation and site.kit.exists():
            return site
    return None


def _check_study(opened: OpenedPack, study: Study, file: Path | None) -> None:
    pack = opened.pack
    if study.answer.type != "choice" or set(study.answer.labels) != set(pack.labels):
        told = ", ".join(study.answer.labels[:5]) or "free text"
        raise ExportError(
            f"{opened.path}: the pack has the labels "
            f"{', '.join(pack.labels[:5])}{' and others' if len(pack.labels) > 5 else ''}, but the study "
            f"{file} has {told}{' and others' if len(study.answer.labels) > 5 else ''}; use a pack with the "
            "same labels",
            code="other-classes",
        )
    if set(study.fields) != set(pack.fields):
        raise ExportError(
            f"{opened.path}: the pack's cases have the fields {', '.join(pack.fields)}, but those of the study "
            f"{file} have {', '.join(study.fields)}; use a pack of the same study",
            code="other-study",
        )
    if study.digest(pack.model) != pack.digest:
        raise ExportError(
            f"{opened.path}: the pack belongs to another study or revision ({pack.digest}); leave out --study, "
            f"or give the pack's own study instead of {file}",
            code="other-study",
        )


def _model_name(ws: Workspace, opened: OpenedPack) -> str:
    """Return the name under which this home knows the pack's model."""
    names: Mapping[str, str] = {row.model_digest: row.study.model for row in ws.bank.studies()}
    if opened.pack.model in names:
        return names[opened.pack.model]
    if opened.pack.model_name in (*BUILT_IN, *MODELS):
        return opened.pack.model_name
    raise ExportError(
        f"{opened.path}: the pack was made for a model that this home does not know "
        f"('{opened.pack.model_name[:80]}', {opened.pack.model[:19]}). fedprompt does not download models "
        "named by a file; give the study that names it with --study FILE",
        code="other-model",
    )

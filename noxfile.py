# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks and tests of the project: `nox --list` shows them, `nox -s unit` runs one, plain `nox` runs what CI runs.

All sessions use the one environment .venv that scripts/bootstrap makes, so that a session starts at once.
Arguments after `--` go to the tool: `nox -s unit -- -k power -x`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
BIN = ROOT / ".venv" / "bin"
CACHE = ROOT / ".cache"
# What costs minutes to make and serves every checkout: environments of tools, and what the virtual machines boot.
_USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
SHARED = Path(os.environ.get("FLEET_CACHE") or _USER_CACHE / "baremetal-fleet")
BUILD = ROOT / "build"
RESULTS = BUILD / "results"
STRICT = os.environ.get("CI", "").lower() in ("1", "true", "yes") or os.environ.get("FLEET_REQUIRE_E2E", "0") not in (
    "",
    "0",
)

# What is shipped to targets must run there: the oldest Python is a promise, the others are tested where installed.
TARGET_PYTHONS = ("3.9", "3.11", "3.13")
REQUIRED_PYTHONS = ("3.9",)
OWN_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"  # of .venv

GALAXY_IMPORTER = "0.4.44"

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "none"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = [
    "lint",
    "types",
    "docs",
    "unit",
    "service",
    "sanity",
    "units",
    "ansible-lint",
    "collection",
    "molecule",
    "e2e",
]


# Containers like to set it. Here thousands of short processes would compile what they import, each anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _setup(session: nox.Session) -> None:
    """Bring .venv up to date and let the session run its programs first."""
    session.run("scripts/bootstrap", "dev", external=True)
    # nox looks programs up in its own PATH, the programs in the session's.
    os.environ["PATH"] = session.env["PATH"] = os.pathsep.join(
        dict.fromkeys([str(BIN), *_real_pythons(), *_path_without_shims()])
    )
    session.env["ANSIBLE_HOME"] = str(CACHE / "ansible")
    RESULTS.mkdir(parents=True, exist_ok=True)


def _path_without_shims() -> list[str]:
    """PATH less the folders of version managers' shims, which answer for Pythons that aren't there."""
    return [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if not folder.endswith("/shims")]


def _real_pythons() -> list[str]:
    """Folders of the interpreters that pyenv or uv installed, newest patch release first."""
    homes = [
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions",
        Path.home() / ".local/share/uv/python",
    ]
    found = [
        path for home in homes for version in TARGET_PYTHONS for path in home.glob(f"*{version}.*/bin/python{version}")
    ]
    return [
        str(path.parent) for path in sorted(found, key=lambda path: _numbers(path.parent.parent.name), reverse=True)
    ]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _pytest(session: nox.Session, name: str, *arguments: str) -> None:
    """Run pytest with the session's own arguments and leave a report that the summary counts."""
    session.run("pytest", *arguments, f"--junit-xml={RESULTS / f'{name}.xml'}", *session.posargs, external=True)


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Wait until no other session, of whatever checkout, does this."""
    SHARED.mkdir(parents=True, exist_ok=True)
    with (SHARED / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _present(versions: Iterable[str]) -> list[str]:
    """Which of these versions of Python are here."""
    return [version for version in versions if shutil.which(f"python{version}")]


def _missing(session: nox.Session, reason: str) -> None:
    """Say that something which this session needs is not here: an error where everything must run, else a skip."""
    if STRICT:
        session.error(reason)
    session.skip(reason)


def _tracked(*patterns: str) -> list[str]:
    """Files that git knows by these patterns; outside a git checkout what the folders hold."""
    found = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return [name for name in found.stdout.splitlines() if (ROOT / name).is_file()]
    skipped = (".venv", ".git", ".cache", "build", "dist")
    every = (path.relative_to(ROOT) for pattern in patterns for path in ROOT.rglob(pattern))
    return sorted({str(path) for path in every if path.parts[0] not in skipped and path.is_file()})


@nox.session
def lint(session: nox.Session) -> None:
    """Style, import rules, shell scripts, licence headers (seconds)."""
    _setup(session)
    session.run("ruff", "check", external=True)
    session.run("ruff", "format", "--check", external=True)
    session.run("lint-imports", external=True, env={"PYTHONPATH": "src:plugins/module_utils"})
    session.run("python", "scripts/check_headers.py", external=True)
    scripts = [name for name in _tracked("scripts/*", ".ci/*", "*.sh") if _is_shell(ROOT / name)]
    if shutil.which("shellcheck"):
        session.run("shellcheck", *scripts, external=True)
    else:
        _missing(
            session,
            "all but the shell scripts was checked: install shellcheck (scripts/install-test-deps does as root)",
        )


def _is_shell(path: Path) -> bool:
    with path.open("rb") as script:
        return b"sh" in script.readline(64).partition(b"#!")[2]


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, over fleetcore, fleetd and fleetlab."""
    _setup(session)
    session.run("mypy", *session.posargs, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Documentation of the plugins, changelog fragments, published schema."""
    _setup(session)
    tree = _tree(session)
    session.run("antsibull-changelog", "lint", external=True)
    with session.chdir(tree):
        session.run(
            "antsibull-docs",
            "lint-collection-docs",
            "--plugin-docs",
            ".",
            external=True,
            env=_collections_path(tree),
        )
    session.run("python", "scripts/check_docs.py", external=True)


@nox.session
def unit(session: nox.Session) -> None:
    """Unit tests of the collection and of the shared package, with the Python of .venv."""
    _setup(session)
    _pytest(session, "unit", "tests/unit")


@nox.session
def service(session: nox.Session) -> None:
    """Tests of server, runner and virtual BMCs, in processes of this machine: a file on each core."""
    _setup(session)
    _pytest(session, "service", "--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile", "tests/service")


@nox.session
def sanity(session: nox.Session) -> None:
    """ansible-test sanity: the rules of the Ansible project for what is shipped (2 minutes the first time)."""
    _setup(session)
    if not shutil.which("shellcheck"):
        session.warn("shellcheck is not installed: ansible-test passes that check without looking")
    # The oldest Python for what targets run, that of .venv for the rest; `units` runs it with the newest.
    versions = _present(dict.fromkeys((*REQUIRED_PYTHONS, OWN_PYTHON)))
    pythons = ["--controller=origin:python=venv/default", *(f"--target-python={version}" for version in versions)]
    with _alone("ansible-test"):  # it makes environments there
        _ansible_test(session, "sanity", *pythons, "--color", "no", *session.posargs)


@nox.session
def units(session: nox.Session) -> None:
    """ansible-test units: the unit tests with the other Pythons that targets may have, the oldest first."""
    _setup(session)
    others = [version for version in TARGET_PYTHONS if version != OWN_PYTHON]
    present = _present(others)
    absent = [version for version in others if version not in present]
    shutil.rmtree(_tree(session) / "tests/output/junit", ignore_errors=True)
    for version in present:
        tree = _ansible_test(session, "units", "--venv", "--python", version, "--color", "no", *session.posargs)
        for report in sorted((tree / "tests/output/junit").glob(f"python{version}-*.xml")):
            shutil.copy2(report, RESULTS / f"units-{report.name}")
    required = [version for version in absent if version in REQUIRED_PYTHONS]
    if required:
        _missing(
            session, f"no real python{required[0]} on PATH, ~/.pyenv or uv (a version manager's shim does not count)"
        )
    if absent:
        session.log(f"not tested, not installed here: Python {', '.join(absent)}")


@nox.session(name="ansible-lint")
def ansible_lint(session: nox.Session) -> None:
    """ansible-lint, production profile, over roles and playbooks."""
    _setup(session)
    tree = _tree(session)
    shutil.copy2(ROOT / ".ansible-lint", tree / ".ansible-lint")
    with session.chdir(tree):
        session.run(
            "ansible-lint",
            "--offline",
            "--profile",
            "production",
            *session.posargs,
            external=True,
            env=_collections_path(tree),
        )


@nox.session
def collection(session: nox.Session) -> None:
    """Build the tarball, install it offline, read its documentation, run its modules, let Galaxy's importer judge."""
    _setup(session)
    home = Path(session.create_tmp())
    for old in ("ansible_collections", ".baremetal-fleet"):
        path = home / old
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    session.run("python", "scripts/collection.py", "install", str(home), external=True)
    session.run(
        "python", "scripts/check_collection.py", str(home), external=True, env={"ANSIBLE_COLLECTIONS_PATH": str(home)}
    )

    tarball = session.run(
        "python", "scripts/collection.py", "build", str(BUILD / "tarball"), external=True, silent=True
    )
    importer = SHARED / f"galaxy-importer-{GALAXY_IMPORTER}-python{OWN_PYTHON}"
    with _alone(importer.name):
        if not (importer / "ready").exists():  # an environment of its own: it wants other versions of what .venv holds
            session.run("python", "-m", "venv", "--clear", str(importer), external=True)
            pinned = [f"galaxy-importer=={GALAXY_IMPORTER}", "ansible-core>=2.19,<2.20"]
            session.run(str(importer / "bin/pip"), "install", "--quiet", *pinned, external=True)
            (importer / "ready").touch()
    scratch = Path(session.create_tmp()).resolve()
    settings = scratch / "galaxy-importer.cfg"
    # ansible-test and ansible-lint have sessions of their own; the importer's need docker or the network.
    settings.write_text("[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nRUN_ANSIBLE_LINT = False\n", encoding="utf-8")
    path = f"{importer}/bin{os.pathsep}{os.environ['PATH']}"
    command = [str(importer / "bin/python"), "-m", "galaxy_importer.main", str(tarball).strip()]
    with session.chdir(scratch):  # it leaves its result in the working directory
        session.run(*command, external=True, silent=True, env={"GALAXY_IMPORTER_CONFIG": str(settings), "PATH": path})


@nox.session
def molecule(session: nox.Session) -> None:
    """Molecule scenarios of the roles, on this machine, in folders of their own."""
    _setup(session)
    shutil.rmtree(BUILD / "wheel", ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(BUILD / "wheel"), ".", external=True, silent=True)
    session.run("python", "scripts/collection.py", "build", str(BUILD / "wheel"), external=True, silent=True)
    home = CACHE / "molecule"
    session.run("python", "scripts/collection.py", "install", str(home), external=True)
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(home),
        "FLEET_CONSTRAINTS": str(ROOT / "constraints.txt"),
        "FLEET_MOLECULE_DIR": str(BUILD / "molecule"),
        "FLEET_TARBALL": str(next((BUILD / "wheel").glob("*.tar.gz"))),
        "FLEET_WHEEL": str(next((BUILD / "wheel").glob("*.whl"))),
    }
    scenarios = sorted(path.parent.name for path in (ROOT / "extensions/molecule").glob("*/molecule.yml"))
    for scenario in session.posargs or scenarios:
        with session.chdir(ROOT / "extensions"):
            session.run("molecule", "test", "--scenario-name", scenario, external=True, env=environment)


@nox.session
def e2e(session: nox.Session) -> None:
    """Whole line on virtual machines and virtual BMCs (Debian packages, partly root)."""
    _setup(session)
    # Built against the libvirt that is installed and of its version, so it can be no requirement of .venv.
    found = (
        subprocess.run(["pkg-config", "--modversion", "libvirt"], capture_output=True, text=True, check=False)
        if shutil.which("pkg-config")
        else None
    )
    if found and found.returncode == 0:
        session.run(
            "python", "-m", "pip", "install", "--quiet", f"libvirt-python=={found.stdout.strip()}", external=True
        )
    _pytest(session, "e2e", "tests/e2e")


@nox.session
def storm(session: nox.Session) -> None:
    """Large sizes of what the tests prove with small ones: kills, listeners (not part of `make test`)."""
    _setup(session)
    _pytest(session, "storm", "-m", "storm", "tests/service")


@nox.session
def fuzz(session: nox.Session) -> None:
    """More examples for all that draws its input: 2,000, or as FLEET_FUZZ says (not part of `make test`)."""
    _setup(session)
    session.env["FLEET_FUZZ"] = os.environ.get("FLEET_FUZZ", "2000")
    session.env["FLEET_FUZZ_SECONDS"] = os.environ.get("FLEET_FUZZ_SECONDS", "300")
    arguments = ("--numprocesses=auto", "--timeout=7200", "-m", "hypothesis or fuzz")
    _pytest(session, "fuzz", *arguments, "tests/unit", "tests/service")


@nox.session
def durations(session: nox.Session) -> None:
    """List the twenty slowest tests of the last run; another number after `--`."""
    session.run(sys.executable, "scripts/slowest.py", str(RESULTS), *session.posargs, external=True)


@nox.session
def bench(session: nox.Session) -> None:
    """Measurements behind the published figures (not part of `make test`)."""
    _setup(session)
    for script in session.posargs or _tracked("benchmarks/*.py"):
        session.run("python", script, external=True)


def _collections_path(tree: Path) -> dict[str, str]:
    return {"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2])}


def _tree(session: nox.Session) -> Path:
    """What ships, copied to where ansible-test and others want it: .../ansible_collections/baremetal/fleet.

    Each session has a copy of its own, because they run at the same time and leave files there.
    """
    home = BUILD / "tree" / session.name
    session.run("python", "scripts/collection.py", "tree", str(home), external=True, silent=True)
    tree = home / "ansible_collections" / "baremetal" / "fleet"
    if shutil.which("git") and not (tree / ".git").exists():
        # ansible-test asks git for the files; it must not find the checkout around, where build/ is ignored.
        session.run("git", "init", "--quiet", str(tree), external=True)
        (tree / ".git/info/exclude").write_text("tests/output/\n__pycache__/\n", encoding="utf-8")
    return tree


def _ansible_test(session: nox.Session, *arguments: str) -> Path:
    """Run ansible-test in a copy of what ships, with a home folder of its own; return the copy's path."""
    tree = _tree(session)
    home = _ansible_test_home()
    with session.chdir(tree):
        said = session.run(
            "ansible-test",
            *arguments,
            external=True,
            silent=True,  # all of it is shown when it fails
            env={"HOME": str(home), "ANSIBLE_HOME": str(home / ".ansible")},
        )
    worth_reading = re.compile(r"^(Running sanity test|Unit test|WARNING: Skipping|=+ .*\b(passed|skipped)\b)")
    for line in dict.fromkeys(str(said).splitlines()):
        if worth_reading.match(line):
            sys.stdout.write(f"{line}\n")
    return tree


GET_PIP = '''"""Stands in for get-pip.py, which ansible-test would download: the interpreter brings its own pip."""

import os
import subprocess
import sys

os.environ.pop("GET_PIP", None)
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
subprocess.check_call([sys.executable, "-m", "pip", "install"] + arguments)
'''


def _ansible_test_home() -> Path:
    """Make a home folder for ansible-test, which passes only HOME and PATH on: the user's own stays as it is."""
    home = SHARED / "ansible-test-home"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    code = next(BIN.parent.glob("lib/python*/site-packages/ansible_test/_internal/python_requirements.py")).read_text(
        encoding="utf-8"
    )
    for version in re.findall(r"\bpip='([\d.]+)'", code):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not script.exists() or script.read_text(encoding="utf-8") != GET_PIP:
            script.write_text(GET_PIP, encoding="utf-8")
    for name in (".config/pip", ".pip", ".cache/pip"):  # the user's settings and downloads of pip
        link, real = home / name, Path.home() / name
        if real.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(real)
    return home


if __name__ == "__main__":
    sys.exit("run me through nox: .venv/bin/nox --list")

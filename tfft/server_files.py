"""The settings of TensorFlow Serving, next to the folder of a model's versions, for its user to change."""

import os
from pathlib import Path

LARGEST_BATCH = 32
"""Rows in one batch of the server."""

_MODEL = """\
  config {{
    name: "{name}"
    base_path: "{path}"
    model_platform: "tensorflow"
  }}
"""
_MODELS = """\
# tensorflow_model_server --model_config_file=models.config
# base_path is where the server sees the folder: inside a container it is another.
model_config_list {{
{model}}}
"""
_BATCHING = f"""\
# tensorflow_model_server --enable_batching --batching_parameters_file=batching_parameters.txt
# Single requests wait up to batch_timeout_micros for others, and run together.
max_batch_size {{ value: {LARGEST_BATCH} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
"""
_MONITORING = """\
# tensorflow_model_server --rest_api_port=8501 --monitoring_config_file=monitoring.config
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def write(base: Path) -> list[str]:
    """Write the files that are absent.

    Args:
        base: Folder of the numbered versions.

    Returns:
        What the user should know: which files were written, and what one that was there lacks.
    """
    base = base.absolute()
    model = _MODEL.format(name=_quoted(base.name), path=_quoted(str(base)))
    contents = {
        "models.config": _MODELS.format(model=model),
        "batching_parameters.txt": _BATCHING,
        "monitoring.config": _MONITORING,
    }
    written, told = [], []
    for name, content in contents.items():
        path = base.parent / name
        if _create(path, content):
            written.append(name)
    if written:
        told.append(f"For TensorFlow Serving, in {base.parent}: {', '.join(written)}")
    models = base.parent / "models.config"
    if f'"{_quoted(str(base))}"' not in models.read_text(encoding="utf-8", errors="replace"):
        told.append(
            f"{models} has no model with this base_path, and is left as it is. To serve this one, too, add "
            f"to its model_config_list:\n{model.rstrip()}"
        )
    return told


def _create(path: Path, content: str) -> bool:
    """Write a file whole unless there is one, and tell whether it was written."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(content, encoding="utf-8")
    try:
        os.link(temporary, path)  # a rename would write over what another process has just made
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

"""What people should read of a model before they use it, in Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = Path("assets.extra") / "model_card.md"

_LABELS = 50  # that are listed


def text(about: Mapping[str, Any], signatures: Mapping[str, Any]) -> str:
    """Return the card.

    Args:
        about: `task`, `labels`, `sequence_length`, `preset`, `packages`, `data` and `figures`, as far as
            they are known.
        signatures: As in the manifest.
    """
    parts = ["# Model card", *_model(about), *_data(about), *_figures(about), *_calls(signatures), _LIMITS]
    return "\n\n".join(parts) + "\n"


_LIMITS = """\
## Use and limits

- The figures hold for texts like those of the data above; of others they say nothing.
- Who may use the model, and for what, its makers have not stated here. Add it.
- `manifest.json` has the whole config, the versions and the hashes; `golden_requests.jsonl` has requests
  with their answers. `tfft verify` checks the export against both."""


def _model(about: Mapping[str, Any]) -> list[str]:
    lines = []
    if "format" in about:
        lines.append(f"- Format: {about['format']}; the run's evaluation/formats.md tells its figures")
    if "task" in about:
        lines.append(f"- Task: {about['task']}")
    if "preset" in about:
        lines.append(f"- Fine-tuned from: {about['preset']['name']} (SHA-256 {about['preset']['sha256']})")
    if "sequence_length" in about:
        lines.append(f"- Longest input: {about['sequence_length']} tokens; what is longer is cut")
    if labels := about.get("labels"):
        more = f", and {len(labels) - _LABELS} more" if len(labels) > _LABELS else ""
        lines.append(f"- Labels: {', '.join(map(_code, labels[:_LABELS]))}{more}")
    if "packages" in about:
        versions = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
        lines.append(f"- Made with: {versions}")
    return ["\n".join(["## Model", "", *lines])] if lines else []


def _data(about: Mapping[str, Any]) -> list[str]:
    if not about.get("data"):
        return []
    rows = [(name, f"{part['rows']:,}", part["sha256"]) for name, part in about["data"].items()]
    return ["## Data", _table(("split", "rows", "SHA-256 of the rows"), rows)]


def _figures(about: Mapping[str, Any]) -> list[str]:
    if not about.get("figures"):
        return []
    rows = []
    for split, figures in about["figures"].items():
        for name, value in figures.items():
            is_edge = name.endswith(("_95_low", "_95_high"))
            if name == "rows" or is_edge or not isinstance(value, (int, float)):
                continue
            low, high = (figures.get(f"{name}_95_{edge}") for edge in ("low", "high"))
            interval = "" if low is None or high is None else f"{low:.4f} to {high:.4f}"
            rows.append((split, name, f"{value:.4f}", interval))
    return ["## Figures", _table(("split", "figure", "value", "95 % interval"), rows)]


def _calls(signatures: Mapping[str, Any]) -> list[str]:
    rows = [
        (f"`{name}`", *(", ".join(map(_code, sides[side])) for side in ("inputs", "outputs")))
        for name, sides in signatures.items()
    ]
    return ["## Signatures", _table(("signature", "inputs", "outputs"), rows)]


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _code(name: str) -> str:
    return f"`{name}`"

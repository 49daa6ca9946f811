"""Tests of tfft/presets/hub.py; the hubs' clients are replaced, there is no network."""

from types import SimpleNamespace

import huggingface_hub
import kagglehub
import pytest
import requests
from huggingface_hub.errors import LocalEntryNotFoundError
from kagglehub.exceptions import KaggleApiHTTPError

from tfft.errors import PresetError
from tfft.presets import hub

OTHER_WAYS = (
    "Other ways to name a backbone: (1) a local folder in KerasHub or Hugging Face format, "
    "(2) a Python package that carries a model, package:NAME==VERSION with backbone.sha256, "
    "(3) another hub handle, kaggle://… or hf://…."
)


@pytest.fixture
def clients(monkeypatch):
    """Both clients: what they are asked for, and the error or folder that they answer with."""
    box = SimpleNamespace(asked=[], options=[], answer="/models/x")

    def answer(handle, **options):
        box.asked.append(handle)
        box.options.append(options)
        if isinstance(box.answer, Exception):
            raise box.answer
        return box.answer

    monkeypatch.setattr(kagglehub, "model_download", answer)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    return box


def fetch(preset: str):
    return hub.folder(preset, None, lambda path: None)


def refused(status: int, text: str) -> Exception:
    """Return an error as the Kaggle client raises it."""
    response = requests.Response()
    response.status_code = status
    return KaggleApiHTTPError(f"{status} {text}\n\nmore", response=response)


HF, KAGGLE = "hf://google-bert/bert-base-uncased", "kaggle://keras/bert/keras/bert_tiny_en_uncased"


@pytest.mark.parametrize(
    ("preset", "asked"),
    [
        (KAGGLE, "keras/bert/keras/bert_tiny_en_uncased"),
        (KAGGLE + "/3", "keras/bert/keras/bert_tiny_en_uncased/3"),
        (HF, "google-bert/bert-base-uncased"),
    ],
)
def test_a_handle_is_fetched_and_verified(clients, preset, asked):
    seen = []
    assert str(hub.folder(preset, None, lambda path: seen.append(str(path)))) == "/models/x"
    assert clients.asked == [asked]
    assert seen == ["/models/x"]


def test_no_pickle_no_code_and_nothing_useless_is_asked_of_hugging_face(clients):
    from fnmatch import fnmatch

    fetch(HF)
    (patterns,) = (options["allow_patterns"] for options in clients.options)
    wanted = [
        "config.json",
        "vocab.txt",
        "model.safetensors",
        "model.weights.h5",
        "assets/tokenizer/vocab.txt",
    ]
    refused_files = ["pytorch_model.bin", "model.pt", "modeling.py", "model.ckpt", "tf_model.h5"]
    for name in wanted:
        assert any(fnmatch(name, pattern) for pattern in patterns), name
    for name in refused_files:
        assert not any(fnmatch(name, pattern) for pattern in patterns), name


def test_what_verify_refuses_is_refused(clients):
    def refuse(path):
        raise PresetError("not good")

    with pytest.raises(PresetError, match="not good"):
        hub.folder(HF, None, refuse)


def test_builtin_names_mean_kaggle_handles_and_a_wrong_one_has_a_neighbour(clients):
    # One test, because importing KerasHub takes seconds.
    fetch("bert_tiny_en_uncased")
    (handle,) = clients.asked
    assert handle.startswith("keras/bert/keras/bert_tiny_en_uncased/")

    with pytest.raises(PresetError) as caught:
        fetch("bert_tiny_en_uncasd")
    assert str(caught.value) == (
        "backbone.preset: 'bert_tiny_en_uncasd' is neither a folder nor a BERT preset of KerasHub. "
        f"Did you mean bert_tiny_en_uncased? {OTHER_WAYS}"
    )

    with pytest.raises(PresetError) as caught:
        fetch("zzz")
    message = str(caught.value)
    assert message.startswith(
        "backbone.preset: 'zzz' is neither a folder nor a BERT preset of KerasHub. KerasHub knows bert_"
    )
    assert "bert_base_en_uncased, " in message
    assert message.endswith(f". {OTHER_WAYS}")
    assert clients.asked == [handle], "nothing is fetched for a wrong name"


@pytest.mark.parametrize(
    "handle",
    ["", "bert", "keras/bert", "keras/bert/keras/x/y", "keras/bert/keras/x/1/2", "a//b/c", "a/b/c/d e"],
)
def test_a_bad_kaggle_handle_is_refused_before_the_network(clients, handle):
    with pytest.raises(PresetError) as caught:
        fetch("kaggle://" + handle)
    assert str(caught.value) == (
        f"backbone.preset: 'kaggle://{handle}' is not a Kaggle handle; "
        "expected kaggle://OWNER/MODEL/keras/VARIATION or the same with /VERSION."
    )
    assert clients.asked == []


@pytest.mark.parametrize("handle", ["", "a/b/c", "a b", "-a/b", "a/b--c"])
def test_a_bad_hugging_face_handle_is_no_matter_of_the_network(handle):
    # The client itself refuses it before it asks the network.
    with pytest.raises(PresetError) as caught:
        fetch("hf://" + handle)
    assert str(caught.value) == (
        f"backbone.preset: 'hf://{handle}' is not a Hugging Face handle; expected hf://OWNER/MODEL."
    )


@pytest.mark.parametrize(
    ("preset", "error", "cause", "said"),
    [
        (
            KAGGLE,
            refused(403, "Client Error."),
            "the hub refused access. Check the spelling; if it is right, accept the model's terms on "
            "kaggle.com, log in with the hub's client, and run again",
            "KaggleApiHTTPError: 403 Client Error.",
        ),
        (
            HF,
            refused(401, "Repository Not Found"),
            "the hub refused access. Check the spelling; if it is right, accept the model's terms on "
            "huggingface.co, log in with the hub's client, and run again",
            "KaggleApiHTTPError: 401 Repository Not Found",
        ),
        (
            HF,
            OSError("Access to model x is a Gated repo"),
            "the hub refused access. Check the spelling; if it is right, accept the model's terms on "
            "huggingface.co, log in with the hub's client, and run again",
            "OSError: Access to model x is a Gated repo",
        ),
        (
            KAGGLE,
            refused(404, "Not Found"),
            "the hub has no such model. Check the spelling",
            "KaggleApiHTTPError: 404 Not Found",
        ),
        (
            KAGGLE,
            requests.ConnectionError("Name or service not known"),
            "the hub cannot be reached and the model is not in the local cache. Check the network",
            "ConnectionError: Name or service not known",
        ),
        (
            HF,
            LocalEntryNotFoundError("Cannot find the file\nand more"),
            "the hub cannot be reached and the model is not in the local cache. Check the network",
            "LocalEntryNotFoundError: Cannot find the file",
        ),
        (
            HF,
            RuntimeError("x" * 1000),
            "the hub cannot be reached and the model is not in the local cache. Check the network",
            "RuntimeError: " + "x" * 286,
        ),
    ],
)
def test_what_the_hub_answered_is_told_in_words(clients, preset, error, cause, said):
    clients.answer = error
    with pytest.raises(PresetError) as caught:
        fetch(preset)
    assert (
        str(caught.value) == f"backbone.preset: {preset!r}: {cause}. {OTHER_WAYS} (The client said: {said})"
    )
    assert caught.value.__cause__ is error

"""Write the model of a run as a checkpoint in Hugging Face's format, for a comparison with other libraries.

    python benchmarks/hugging_face_checkpoint.py RUN FOLDER

The folder, which must not exist, gets `config.json`, `model.safetensors` and `vocab.txt` of the backbone, and
of what Hugging Face's format has no place for `head.safetensors` (each dense layer's kernel and bias, in
order) and `answer.json` (labels, pooling, what the tokenizer does, and the longest row). It takes runs of the
task text_classification on one text with a BERT, and refuses settings that would need more than that.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tfft import backbone, finished, hugging_face, run_folder
from tfft.classifier import Classifier
from tfft.errors import TfftError

ACTIVATIONS = {"gelu_erf": "gelu", "gelu_tanh": "gelu_pytorch_tanh"}
POOLINGS = ("cls", "max", "mean", "pooler")
HEAD_ACTIVATIONS = ("gelu", "relu", "tanh")


def write(model: Classifier, folder: Path) -> None:
    """Write a model into a new folder.

    Raises:
        SystemExit: It has a setting that is not covered.
    """
    told = model.description
    check(model)
    body = _body(model)
    architecture, given = told["backbone"], told["backbone"]["arguments"]
    config = {
        "model_type": "bert",
        "vocab_size": given["vocabulary_size"],
        "hidden_size": given["hidden_dim"],
        "num_hidden_layers": given["num_layers"],
        "num_attention_heads": given["num_heads"],
        "intermediate_size": given["intermediate_dim"],
        "max_position_embeddings": given["max_sequence_length"],
        "type_vocab_size": given["num_segments"],
        "hidden_act": ACTIVATIONS.get(architecture["activation"], architecture["activation"]),
        "layer_norm_eps": architecture["layer_norm_epsilon"],
    }
    settings = told["preprocessor"]
    answer = {
        "labels": told["facts"]["labels"],
        "pooling": told["pooling"],
        "activation": told["head"]["activation"],
        "sequence_length": settings["sequence_length"],
        "tokenization": settings["tokenization"],
    }
    head = {
        f"{number}.{kind}": np.ascontiguousarray(array)
        for number, layer in enumerate(layer for layer in model.head.layers if layer.weights)
        for kind, array in zip(("kernel", "bias"), layer.get_weights(), strict=True)
    }
    # The temperature, by which logits are divided, goes into the layer that makes them.
    logits = max((name.partition(".")[0] for name in head), key=int)
    for kind in ("kernel", "bias"):
        head[f"{logits}.{kind}"] = head[f"{logits}.{kind}"] / np.float32(told["temperature"])
    folder.mkdir(parents=True)
    save_file(_tensors(body), folder / "model.safetensors")
    save_file(head, folder / "head.safetensors")
    for name, content in model.preprocessor.tokenizer.files.items():
        (folder / {"vocabulary.txt": "vocab.txt"}[name]).write_bytes(content)
    for name, told in (("config.json", config), ("answer.json", answer)):
        (folder / name).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check(model: Classifier) -> None:
    """Refuse a run that the other libraries are not set up for.

    Raises:
        SystemExit: It has a setting that is not covered.
    """
    told = model.description
    settings = told["preprocessor"]
    wrong = (
        ("backbone", told["backbone"]["backbone"], ("BertBackbone",)),
        ("task", told["task"]["name"], ("text_classification",)),
        ("columns", tuple(told["inputs"]["columns"]), (("text",),)),
        ("template", tuple(told["inputs"]["texts"]), (("{text}",),)),
        ("preparation", tuple(told["preparation"]), ((),)),
        ("windows", told["windows"], (None,)),
        ("tuned threshold", told["decision"], (None,)),
        ("truncation", settings["truncation"], ("head",)),
        ("pooling", told["pooling"], POOLINGS),
        ("activation of the head", told["head"]["activation"], HEAD_ACTIVATIONS),
    )
    for what, found, known in wrong:
        if found not in known:
            raise SystemExit(
                f"This run cannot be compared: its {what} is {found!r}, and the other libraries are set up "
                f"for {known[0]!r} only."
            )


def _body(model: Classifier):
    """Return the backbone with the run's weights; the pooler's are random where the run does without it."""
    body = backbone.build(backbone.Architecture(**model.description["backbone"]))
    for trained in model.encoder.layers:
        if trained.weights:
            body.get_layer(trained.name).set_weights(trained.get_weights())
    return body


def _tensors(body) -> dict[str, np.ndarray]:
    """Return the weights by Hugging Face's names, in its shapes: kernels are `[outputs, inputs]` there."""
    tensors = {}
    for variable, name in hugging_face.bert_names(body):
        array = np.asarray(variable)
        # The attention of Keras keeps heads apart: kernels [inputs, heads, width] and, of its output,
        # [heads, width, outputs]; biases [heads, width].
        if variable.name == "kernel":
            outputs = array.shape[-1] if "output" in name else int(np.prod(array.shape[1:]))
            array = array.reshape(-1, outputs).T
        elif variable.name == "bias":
            array = array.reshape(-1)
        tensors[name] = np.ascontiguousarray(array)
    return tensors


def main() -> None:
    """Write the checkpoint of a run."""
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[2])
    if folder.exists():
        raise SystemExit(f"{folder} exists already. Choose another.")
    try:
        write(finished.restore(run_folder.existing(Path(sys.argv[1]))), folder)
    except TfftError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()

"""A process of `latency.py`, in which one library answers texts.

    python latency_worker.py tensorflow EXPORT THREADS
    python latency_worker.py pytorch|onnxruntime CHECKPOINT THREADS
    python latency_worker.py write-onnx CHECKPOINT

It imports its library alone. Its first line tells `versions`; then it reads a line of JSON for each round,
`requests`, a list of lists of texts, and `clients`, the number of threads that ask them, and answers with
`seconds` of each request, those of the `round` and of all `processors` in it, and `answers`. CHECKPOINT is
what `hugging_face_checkpoint.py` writes; `write-onnx` adds `model.onnx` to it.
"""

import importlib.metadata
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MOST_CLIENTS = 64
_NAMES = ("input_ids", "attention_mask", "token_type_ids")


def tensorflow(folder: Path, threads: int) -> Callable:
    """Return what asks an export, as a server written in Python does."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    loaded = tf.saved_model.load(str(folder))
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]

    def ask(texts: Sequence[str], of=loaded) -> dict:  # whose weights go when it goes
        answer = serve(**{name: tf.constant(texts)})
        labels, probabilities = answer["label"].numpy(), answer["probabilities"].numpy()
        return {"label": [label.decode() for label in labels], "probabilities": probabilities.tolist()}

    return ask


def pytorch(folder: Path, threads: int) -> Callable:
    """Return what asks `transformers`' BERT in eager mode."""
    import torch

    torch.set_num_threads(threads)
    encode, labels, classify = _tokenizer(folder), _told(folder)["labels"], _module(folder)

    def ask(texts: Sequence[str]) -> dict:
        with torch.inference_mode():
            probabilities = classify(*(torch.tensor(rows) for rows in encode(texts)))
            chosen = probabilities.argmax(-1).tolist()
        return {"label": [labels[number] for number in chosen], "probabilities": probabilities.tolist()}

    return ask


def onnxruntime(folder: Path, threads: int) -> Callable:
    """Return what asks ONNX Runtime, with all of its optimisations of the graph."""
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    encode, labels = _tokenizer(folder), _told(folder)["labels"]

    def ask(texts: Sequence[str]) -> dict:
        rows = dict(zip(_NAMES, (np.array(rows) for rows in encode(texts)), strict=True))
        (probabilities,) = session.run(None, rows)
        chosen = probabilities.argmax(-1).tolist()
        return {"label": [labels[number] for number in chosen], "probabilities": probabilities.tolist()}

    return ask


def write_onnx(folder: Path) -> None:
    """Write the PyTorch model as `model.onnx`, for any number of rows and of tokens."""
    import torch

    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens")
    ids = torch.randint(1, 20, (3, 7))
    torch.onnx.export(
        _module(folder),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        folder / "model.onnx",
        dynamo=True,
        input_names=_NAMES,
        output_names=["probabilities"],
        dynamic_shapes=({0: rows, 1: tokens},) * 3,
        external_data=False,
    )


def _told(folder: Path) -> dict:
    return json.loads((folder / "answer.json").read_text(encoding="utf-8"))


def _tokenizer(folder: Path) -> Callable[[Sequence[str]], list[list[list[int]]]]:
    """Return what makes ids, mask and segments of texts, padded to the longest of them."""
    from tokenizers import BertWordPieceTokenizer

    told = _told(folder)
    settings = told["tokenization"]
    tokenizer = BertWordPieceTokenizer(
        str(folder / "vocab.txt"),
        lowercase=settings["lowercase"],
        strip_accents=settings["strip_accents"],
        handle_chinese_chars=settings["split_chinese"],
    )
    tokenizer.enable_truncation(told["sequence_length"])
    tokenizer.enable_padding()

    def encode(texts: Sequence[str]) -> list[list[list[int]]]:
        rows = tokenizer.encode_batch(list(texts))
        return [
            [row.ids for row in rows],
            [row.attention_mask for row in rows],
            [row.type_ids for row in rows],
        ]

    return encode


def _module(folder: Path) -> Any:
    """Return the model, from ids, mask and segments to probabilities."""
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    told = _told(folder)
    body = BertModel(
        BertConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8"))),
        add_pooling_layer=told["pooling"] == "pooler",
    )
    tensors = load_file(folder / "model.safetensors")
    if told["pooling"] != "pooler":
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("pooler.")}
    body.load_state_dict(tensors)
    head = load_file(folder / "head.safetensors")
    layers: list[torch.nn.Module] = []
    for number in range(len(head) // 2):
        kernel, bias = head[f"{number}.kernel"], head[f"{number}.bias"]
        layer = torch.nn.Linear(*kernel.shape)
        layer.load_state_dict({"weight": kernel.T.contiguous(), "bias": bias})
        between = {"gelu": torch.nn.GELU, "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[told["activation"]]
        layers += [layer] if number == 0 else [between(), layer]

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = body, torch.nn.Sequential(*layers)

        def forward(self, ids, mask, segments):
            outputs = self.body(input_ids=ids, attention_mask=mask, token_type_ids=segments)
            return torch.softmax(self.head(self.pool(outputs, mask)), dim=-1)

        def pool(self, outputs, mask):
            tokens, is_real = outputs.last_hidden_state, mask[:, :, None]
            if told["pooling"] == "pooler":
                return outputs.pooler_output
            if told["pooling"] == "cls":
                return tokens[:, 0]
            if told["pooling"] == "max":
                return tokens.masked_fill(is_real == 0, -torch.inf).amax(1)
            return (tokens * is_real).sum(1) / is_real.sum(1)

    return Classifier().eval()


def answer_round(ask: Callable, pool: ThreadPoolExecutor, requests: list[list[str]], clients: int) -> dict:
    """Ask all requests, `clients` at one time, and take the time of each."""
    seconds, answers = [0.0] * len(requests), [{}] * len(requests)
    left, begin = iter(range(len(requests))), threading.Barrier(clients)

    def take() -> float:
        begin.wait()
        begun = time.perf_counter()
        for number in left:  # the next of a range is taken by one thread only
            started = time.perf_counter()
            answers[number] = ask(requests[number])
            seconds[number] = time.perf_counter() - started
        return begun

    used = time.process_time()
    if clients == 1:
        begun = take()
    else:
        begun = min([taken.result() for taken in [pool.submit(take) for _ in range(clients)]])
    spent = {"round": time.perf_counter() - begun, "processors": time.process_time() - used}
    return {**spent, "seconds": seconds, "answers": answers}


def main() -> None:
    """Write the ONNX file, or answer rounds until there are no more."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    if kind == "write-onnx":
        write_onnx(folder)
        return
    # What a library prints must not come among the answers.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    ask = {"tensorflow": tensorflow, "pytorch": pytorch, "onnxruntime": onnxruntime}[kind](
        folder, int(sys.argv[3])
    )
    packages = {
        "tensorflow": ("tensorflow", "tensorflow-text"),
        "pytorch": ("torch", "transformers", "tokenizers"),
        "onnxruntime": ("onnxruntime", "tokenizers"),
    }[kind]
    said: dict = {"versions": {package: importlib.metadata.version(package) for package in packages}}
    # The same threads for all rounds: PyTorch's OpenMP makes a team for each.
    with ThreadPoolExecutor(MOST_CLIENTS) as pool:
        print(json.dumps(said), file=lines, flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            said = answer_round(ask, pool, asked["requests"], asked["clients"])
            print(json.dumps(said), file=lines, flush=True)


if __name__ == "__main__":
    main()

"""Tests of tfft/saved_model.py and tfft/reload_probe.py."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import bert_preprocessor
from tfft import backbone, clean_process, head, parity, reload_probe, saved_model, signatures
from tfft.errors import PresetError, RunError
from tfft.tasks import Facts, text_classification


@pytest.fixture(scope="module")
def parts(tiny_preset):
    keras.utils.set_random_seed(0)
    body, _ = backbone.load(tiny_preset, dropout=None)
    encoder = head.encoder(body, pooling="mean")
    top = head.dense([8], 2, hidden_layers=[], activation="gelu", dropout=0.5, initializer="glorot_uniform")
    model = head.join(encoder, top)
    preprocessor = bert_preprocessor(16)
    outputs = text_classification.build().outputs(Facts(("bad", "good")), None)
    return preprocessor, model, outputs


def signature(preprocess, model, outputs):
    return signatures.of_columns(["text"], lambda columns: outputs.answer(model(preprocess(columns))))


@pytest.fixture(scope="module")
def export(parts, tmp_path_factory):
    preprocessor, model, outputs = parts
    base = tmp_path_factory.mktemp("export")
    serve = signature(preprocessor, model, outputs)
    return saved_model.write(serve, model, preprocessor, base, [{"text": "good film"}, {"text": "bad film"}])


def test_the_signature_is_what_a_server_needs(export):
    version, _ = export
    serve = saved_model.load(version)
    assert serve.structured_input_signature[1] == {"text": tf.TensorSpec([None], tf.string, "text")}
    answer = serve(text=tf.constant(["good", "", "naïve 👍"]))
    assert answer["label"].dtype == tf.string
    assert {name: value.shape.as_list() for name, value in answer.items()} == {
        "label": [3], "score": [3], "probabilities": [3, 2],
    }  # fmt: skip
    np.testing.assert_allclose(tf.reduce_sum(answer["probabilities"], 1), 1, atol=1e-6)


def test_no_texts_give_no_answers(export):
    answer = saved_model.load(export[0])(text=tf.constant([], tf.string))
    assert answer["probabilities"].shape == (0, 2)


def test_two_calls_give_the_same_answer(export):
    serve = saved_model.load(export[0])
    texts = tf.constant(["a good film"] * 3)
    np.testing.assert_array_equal(serve(text=texts)["score"], serve(text=texts)["score"])


def test_the_proof_tells_how_close_the_answers_were(export):
    _, proof = export
    assert proof["texts_compared"] == len(saved_model.HARD_TEXTS) + 2
    assert 0 <= proof["largest_difference"] <= parity.TOLERANCE


def test_every_weight_is_written_once(export, parts):
    version, _ = export
    _, model, _ = parts
    written = tf.train.list_variables(str(version / "variables" / "variables"))
    sizes = sorted(int(np.prod(shape)) for name, shape in written if not name.startswith("_CHECKPOINTABLE"))
    assert sizes == sorted(int(np.prod(weight.shape)) for weight in model.weights)


def test_versions_count_up_and_strangers_are_left_alone(parts, tmp_path):
    preprocessor, model, outputs = parts
    serve = signature(preprocessor, model, outputs)
    (tmp_path / "7").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    version, _ = saved_model.write(serve, model, preprocessor, tmp_path, [])
    assert version.name == "8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8", "notes.txt"]


def test_a_base_relative_to_the_current_folder(parts, tmp_path, monkeypatch):
    preprocessor, model, outputs = parts
    monkeypatch.chdir(tmp_path)
    serve = signature(preprocessor, model, outputs)
    version, _ = saved_model.write(serve, model, preprocessor, Path("models"), [])
    assert version == tmp_path / "models" / "1"


def test_an_export_that_answers_otherwise_is_not_kept(parts, tmp_path, monkeypatch):
    preprocessor, model, outputs = parts
    serve = signature(preprocessor, model, outputs)
    real = subprocess.run

    def lie(*arguments, **options):
        done = real(*arguments, **options)
        batches = json.loads(done.stdout)
        batches[0]["probabilities"][3][0] += 1e-4
        return subprocess.CompletedProcess([], 0, json.dumps(batches), "")

    monkeypatch.setattr(subprocess, "run", lie)
    with pytest.raises(RunError, match=r"numbers differ by up to 1\.0\de-04 .* texts differ: none"):
        saved_model.write(serve, model, preprocessor, tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_the_probe_cannot_import_keras(export):
    code = (
        f"import runpy, sys; sys.argv = ['probe', {str(export[0])!r}];"
        f"runpy.run_path({reload_probe.__file__!r}, run_name='__main__');"
        "import keras"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        input='[{"signature_name": "serving_default", "inputs": {"text": ["good"]}}]',
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)[0]["label"][0] in ("bad", "good")
    assert "import of keras halted" in done.stderr


def test_a_signature_that_needs_python_is_refused(parts):
    _, model, outputs = parts

    def by_python(columns):
        ids = tf.numpy_function(
            lambda rows: np.full([len(rows), 3], 2, np.int32), [columns["text"]], tf.int32
        )
        ids.set_shape([None, 3])
        return {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}

    serve = signature(by_python, model, outputs)
    with pytest.raises(PresetError, match=r"needs PyFunc, which TensorFlow Serving does not have: it could "):
        saved_model.check_operations(serve)


def test_a_signature_inside_of_which_python_is_needed_is_refused(parts):
    preprocessor, model, outputs = parts
    inner = tf.function(lambda text: tf.py_function(lambda rows: rows, [text], tf.string))

    def by_python(columns):
        text = inner(columns["text"])
        text.set_shape([None])
        return preprocessor({"text": text})

    with pytest.raises(PresetError, match="needs EagerPyFunc"):
        saved_model.check_operations(signature(by_python, model, outputs))


def test_what_tensorflow_and_tensorflow_text_have_passes(parts):
    preprocessor, model, outputs = parts
    saved_model.check_operations(signature(preprocessor, model, outputs))


def test_an_export_that_a_server_could_not_warm_up_by_is_not_kept(parts, tmp_path, monkeypatch):
    preprocessor, model, outputs = parts
    serve = signature(preprocessor, model, outputs)

    def refuse_the_last(version, requests):
        right = [reload_probe.answer(serve, request["inputs"]) for request in requests[:-1]]
        return [*right, "InvalidArgumentError: no"]

    monkeypatch.setattr(clean_process, "answers", refuse_the_last)
    with pytest.raises(
        RunError, match=r"A server could not warm up by it: InvalidArgumentError: no\. It was"
    ):
        saved_model.write(serve, model, preprocessor, tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_the_newest_version_is_that_of_the_highest_number(tmp_path):
    for name in ("9", "10", "writing-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "11").mkdir()
    assert saved_model.newest(tmp_path) == tmp_path / "10"
    assert saved_model.newest(tmp_path / "9") == tmp_path / "9"
    assert saved_model.newest(tmp_path / "11") is None

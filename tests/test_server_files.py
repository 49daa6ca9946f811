"""Tests of tfft/server_files.py."""

import re

import pytest
from google.protobuf import text_format

from tfft import server_files


def test_the_server_reads_the_list_of_models(tmp_path):
    model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    base = tmp_path / 'a "b"' / "film"
    base.mkdir(parents=True)
    (told,) = server_files.write(base)
    assert "batching_parameters.txt, monitoring.config" in told
    text = (base.parent / "models.config").read_text(encoding="utf-8")
    (found,) = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    assert (found.name, found.base_path, found.model_platform) == ("film", str(base), "tensorflow")


def test_the_other_files(tmp_path):
    server_files.write(tmp_path / "film")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "batching_parameters.txt", "models.config", "monitoring.config",
    ]  # fmt: skip
    batching = (tmp_path / "batching_parameters.txt").read_text(encoding="utf-8")
    found = dict(re.findall(r"^(\w+) \{ value: (\d+) \}$", batching, re.M))
    # A batch to warm up with that is larger would keep the server from loading the version.
    assert int(found.pop("max_batch_size")) >= 8
    assert found.keys() == {"batch_timeout_micros", "max_enqueued_batches"}
    monitoring = (tmp_path / "monitoring.config").read_text(encoding="utf-8")
    assert monitoring.endswith(
        'prometheus_config {\n  enable: true\n  path: "/monitoring/prometheus/metrics"\n}\n'
    )


def test_what_is_there_is_left_as_it_is(tmp_path):
    server_files.write(tmp_path / "film")
    (tmp_path / "monitoring.config").write_text("mine")
    before = (tmp_path / "models.config").read_bytes()
    assert server_files.write(tmp_path / "film") == []
    (told,) = server_files.write(tmp_path / "other")
    assert "models.config has no model with this base_path, and is left as it is" in told
    assert f'base_path: "{tmp_path / "other"}"' in told
    assert (tmp_path / "models.config").read_bytes() == before
    assert (tmp_path / "monitoring.config").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3

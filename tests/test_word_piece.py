"""Tests of tfft/word_piece.py."""

import json
import os
import subprocess
import sys
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import VOCABULARY
from tfft import word_piece
from tfft.errors import PresetError
from tfft.word_piece import Tokenization, Tokenizer

UNCASED = Tokenization(lowercase=True, strip_accents=True)


def pieces(texts, tokenization=UNCASED):
    ids = Tokenizer(VOCABULARY, tokenization).tokenize(tf.constant(texts)).to_list()
    return [[VOCABULARY[i] for i in row] for row in ids]


def test_words_pieces_and_punctuation():
    assert pieces(["The film was watching, unable!"]) == [
        ["the", "film", "was", "watch", "##ing", ",", "un", "##able", "!"]
    ]


def test_pieces_are_spelt_and_the_unknown_one_is_told():
    made = Tokenizer(VOCABULARY, UNCASED)
    ids = made.tokenize(tf.constant(["Watching Ω"])).to_list()[0]
    assert made.spell(ids) == ["watch", "##ing", "[UNK]"]
    assert made.spell([made.unknown]) == ["[UNK]"]


def test_empty_and_blank_texts_have_no_tokens():
    assert pieces(["", "  \t\n", "\u200b\u00ad"]) == [[], [], []]


def test_accents_go_and_sharp_s_stays():
    # KerasHub folds ß to ss; the original tokenizer, and the vocabulary, keep it.
    assert pieces(["NAÏVE ẞ"]) == [["naive", "ß"]]


def test_cased_tokenization_keeps_case_and_accents():
    assert pieces(["café Good good"], Tokenization(lowercase=False, strip_accents=False)) == [
        ["café", "[UNK]", "good"]
    ]


def test_special_tokens_in_text_are_text():
    assert "[SEP]" not in pieces(["[SEP] good"])[0]


def test_bytes_that_are_no_utf8_are_left_out():
    assert pieces([b"go\xffod"]) == [["good"]]


def test_a_word_of_more_than_100_characters_is_unknown_and_one_of_100_is_cut_into_pieces():
    vocabulary = [*VOCABULARY, "я", "##я"]
    tokenizer = Tokenizer(vocabulary, UNCASED)
    ids = tokenizer.tokenize(tf.constant(["я" * 100, "я" * 101])).to_list()
    assert ids[0] == [vocabulary.index("я")] + [vocabulary.index("##я")] * 99
    assert ids[1] == [vocabulary.index("[UNK]")]


def test_a_turkish_machine_lowers_the_case_alike():
    code = (
        "import tensorflow as tf; from tfft.word_piece import Tokenizer;"
        "print(Tokenizer._lower(tf.constant(['TITLE I İ Σ ΟΔΟΣ'])).numpy()[0].decode())"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"LANG": language, "LC_ALL": language, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout.decode()
        for language in ("C.UTF-8", "tr_TR.UTF-8")
    }
    assert answers == {"title i i\u0307 σ οδοσ\n"}


@pytest.fixture(scope="module")
def real(shared):
    vocabulary = (shared / "weights" / "bert_uncased_vocab_only" / "vocab.txt").read_text(encoding="utf-8")
    return Tokenizer(vocabulary.removesuffix("\n").split("\n"), UNCASED)


@pytest.fixture(scope="module")
def reference(real, tmp_path_factory):
    tokenizers = pytest.importorskip("tokenizers", reason="the reference tokenizer is not installed")
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(real.vocabulary) + "\n", encoding="utf-8")
    return tokenizers.BertWordPieceTokenizer(str(path), lowercase=True)


def test_ids_equal_the_references_on_all_but_the_string_of_special_tokens(shared, real):
    rows = [
        json.loads(line)
        for line in (shared / "golden" / "bert_uncased_tokens.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(rows) == 303
    cls, sep = map(real.vocabulary.index, ("[CLS]", "[SEP]"))
    found = real.tokenize(tf.constant([row["text"] for row in rows])).to_list()
    differing = [row["text"] for row, ids in zip(rows, found, strict=True) if [cls, *ids, sep] != row["ids"]]
    assert differing == ["[CLS] [SEP] [MASK] [UNK] [PAD]"]


# Characters that Unicode 3.2 knew: later ones may be missing from TensorFlow's tables.
_OLD = st.characters(exclude_categories=["Cs"]).filter(
    lambda character: unicodedata.ucd_3_2_0.category(character) != "Cn"
)


@settings(max_examples=300, deadline=None)
@given(text=st.text(_OLD | st.sampled_from("aeio AEIO'-.\u0301\u0130ßΣ"), max_size=40))
def test_ids_equal_those_of_the_tokenizers_library(real, reference, text):
    ids = real.tokenize(tf.constant([text])).to_list()[0]
    assert ids == reference.encode(text, add_special_tokens=False).ids


def test_read_hugging_face_folder(tiny_preset):
    vocabulary, tokenization = word_piece.read_files(tiny_preset)
    assert vocabulary == VOCABULARY
    assert tokenization == UNCASED  # strip_accents follows do_lower_case when unset


@pytest.mark.parametrize(
    ("settings_file", "expected"),
    [
        ({"do_lower_case": False}, Tokenization(False, False)),
        ({"do_lower_case": True, "strip_accents": False}, Tokenization(True, False)),
        ({"do_lower_case": False, "strip_accents": True}, Tokenization(False, True)),
        ({"tokenize_chinese_chars": False}, Tokenization(True, True, split_chinese=False)),
    ],
)
def test_read_follows_the_tokenizers_settings(tmp_path, settings_file, expected):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings_file))
    assert word_piece.read_files(tmp_path) == (["[PAD]", "[UNK]"], expected)


def test_read_a_folder_with_a_fast_tokenizer_only(tmp_path):
    fast = {
        "model": {"type": "WordPiece", "vocab": {"b": 1, "a": 0}},
        "normalizer": {"lowercase": False, "strip_accents": None},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(fast))
    assert word_piece.read_files(tmp_path) == (["a", "b"], Tokenization(False, False))


def test_read_refuses_a_folder_without_word_pieces(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE"}}))
    with pytest.raises(PresetError, match=r"no WordPiece vocabulary; expected vocab\.txt or tokenizer\.json"):
        word_piece.read_files(tmp_path)


def test_a_vocabulary_without_special_tokens_is_refused():
    with pytest.raises(PresetError, match=r"lacks \[CLS\], \[SEP\]"):
        Tokenizer(["[PAD]", "[UNK]", "a"], UNCASED)


def test_an_uncased_keras_hub_preset_strips_accents_whatever_its_file_says(tmp_path):
    import keras_hub

    keras_hub.models.BertTokenizer(VOCABULARY, lowercase=True).save_to_preset(str(tmp_path))
    vocabulary, tokenization = word_piece.read_files(tmp_path)
    assert (vocabulary, tokenization) == (VOCABULARY, UNCASED)

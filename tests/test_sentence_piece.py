"""Tests of tfft/sentence_piece.py."""

import pytest
import sentencepiece
import tensorflow as tf

from tests import families as tiny
from tfft import sentence_piece
from tfft.errors import PresetError


def read(folder, name, is_albert=False, is_fairseq=False):
    tiny.tokenizer_of(name).save_to_preset(str(folder))
    return sentence_piece.read(folder, is_albert=is_albert, is_fairseq=is_fairseq)


def ids(tokenizer, *texts):
    return tokenizer.tokenize(tf.constant(texts)).to_list()


def test_ids_equal_the_librarys(tmp_path):
    tokenizer = read(tmp_path, "LlamaBackbone")
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.files["vocabulary.spm"])
    texts = ["the film was good", "", "ǆ unknown Ω", "<s> </s> <unk>"]
    assert ids(tokenizer, *texts) == [library.encode(text) for text in texts]
    assert tokenizer.id_of("</s>") == 2
    assert tokenizer.id_of("<nothing>") is None


def test_a_special_token_that_the_file_lets_text_spell_is_text(tmp_path):
    tokenizer = read(tmp_path, "GemmaBackbone")
    turn, table = map(tokenizer.id_of, ("<start_of_turn>", "<table>"))
    found = ids(tokenizer, "<start_of_turn> good <table>")[0]
    assert turn not in found
    assert table in found, "to Gemma this is text, and stays so"


def test_fairseq_numbers_the_pieces_one_higher(tmp_path):
    tokenizer = read(tmp_path, "XLMRobertaBackbone", is_fairseq=True)
    plain = sentence_piece.Tokenizer(
        tokenizer.files["vocabulary.spm"], is_albert=False, is_uncased=False, is_fairseq=False
    )
    assert [tokenizer.id_of(token) for token in ("<s>", "<pad>", "</s>", "<unk>")] == [0, 1, 2, 3]
    text = "good Ω film"
    assert ids(tokenizer, text) == [[3 if i == 0 else i + 1 for i in ids(plain, text)[0]]]
    assert 3 in ids(tokenizer, text)[0]


@pytest.mark.parametrize(
    "name", ["LlamaBackbone", "DebertaV3Backbone", "AlbertBackbone", "XLMRobertaBackbone"]
)
def test_pieces_are_spelt_and_the_unknown_one_is_told(tmp_path, name):
    tokenizer = read(tmp_path, name, is_fairseq=name == "XLMRobertaBackbone")
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.files["vocabulary.spm"])
    text = "the film was good Ω"
    found = ids(tokenizer, text)[0]
    pieces = [library.id_to_piece(number) for number in library.encode(text)]
    assert tokenizer.spell(found) == pieces
    assert pieces[found.index(tokenizer.unknown)] == library.id_to_piece(library.unk_id())
    for token in ("<s>", "</s>") if name in ("LlamaBackbone", "XLMRobertaBackbone") else ("[CLS]", "[SEP]"):
        assert tokenizer.spell([tokenizer.id_of(token)]) == [token]
    assert tokenizer.spell([]) == []


def test_albert_lowers_the_case_of_an_uncased_vocabulary_and_strips_accents(tmp_path):
    tokenizer = read(tmp_path, "AlbertBackbone", is_albert=True)
    assert tokenizer.settings == {"is_albert": True, "is_uncased": True, "is_fairseq": False}
    assert ids(tokenizer, "GOOD Fílm") == ids(tokenizer, "good film")
    assert ids(tokenizer, "``good''") == ids(tokenizer, '"good"')


def test_others_keep_the_case(tmp_path):
    tokenizer = read(tmp_path, "FNetBackbone")
    assert ids(tokenizer, "GOOD") != ids(tokenizer, "good")


def test_bytes_that_are_no_utf8_are_left_out(tmp_path):
    tokenizer = read(tmp_path, "LlamaBackbone")
    assert ids(tokenizer, b"go\xffod") == ids(tokenizer, "good")


def test_a_folder_without_a_model_file_or_with_a_damaged_one_is_refused(tmp_path):
    with pytest.raises(PresetError, match=r"holds no SentencePiece model; expected assets/tokenizer/voc"):
        sentence_piece.read(tmp_path, is_albert=False, is_fairseq=False)
    (tmp_path / "spiece.model").write_bytes(b"\xff\xff")
    with pytest.raises(PresetError, match=r"spiece\.model cannot be read"):
        sentence_piece.read(tmp_path, is_albert=False, is_fairseq=False)

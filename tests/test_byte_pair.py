"""Tests of tfft/byte_pair.py."""

import json
import random
from pathlib import Path

import pytest
import tensorflow as tf

from tests import families as tiny
from tfft import byte_pair
from tfft.errors import PresetError
from tfft.saved_model import HARD_TEXTS

LETTERS = byte_pair._byte_letters()


def make(merges=("g o", "go o", "goo d"), split="gpt2", add_prefix_space=False, ignore_merges=False, more=()):
    tokens = [*LETTERS, *(merge.replace(" ", "") for merge in merges), *more]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = byte_pair.Tokenizer(
        vocabulary, merges, split=split, add_prefix_space=add_prefix_space, ignore_merges=ignore_merges
    )
    return tokenizer, tokens


def pieces(texts, **settings):
    tokenizer, tokens = make(**settings)
    return [[tokens[i] for i in row] for row in tokenizer.tokenize(tf.constant(texts)).to_list()]


def test_pairs_are_joined_in_the_order_of_the_merges():
    assert pieces(["good goo god", "", "ogo"]) == [
        ["good", "Ġ", "goo", "Ġ", "go", "d"], [], ["o", "go"],
    ]  # fmt: skip
    # "b c" was learned before "a b", so it is joined first though it stands to the right.
    assert pieces(["abc", "abab"], merges=("b c", "a b")) == [["a", "bc"], ["ab", "ab"]]
    assert pieces(["aaa"], merges=("a a",)) == [["aa", "a"]]


def test_tokens_are_spelt_as_the_text_that_they_are_of():
    tokenizer, _ = make(merges=("g o", "Ġ go", "Ã ©"), more=("<|end 好|>",))
    ids = tokenizer.tokenize(tf.constant(["go go é 好"])).to_list()[0]
    # The bytes of 好 are no merge here, so none of the three is a character.
    assert tokenizer.spell(ids) == ["go", " go", " ", "é", " ", r"\xe5", r"\xa5", r"\xbd"]
    assert tokenizer.spell([tokenizer.id_of("<|end 好|>")]) == ["<|end 好|>"]
    assert tokenizer.spell([]) == []
    assert tokenizer.unknown is None


def test_no_rows_give_no_rows():
    assert make()[0].tokenize(tf.constant([], tf.string)).to_list() == []


def test_the_digit_that_keras_hub_drops_is_kept():
    assert pieces(["६"])[0] == [LETTERS[byte] for byte in "६".encode()]


def test_nothing_of_a_text_stays_in_the_tokenizer(tmp_path):
    tokenizer, _ = make()
    module = tf.Module()
    module.tokenizer = tokenizer
    module.tokenize = tf.function(
        lambda text: tokenizer.tokenize(text).flat_values,
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    module.tokenize(tf.constant(["topsecretword"]))
    tf.saved_model.save(module, str(tmp_path))
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"topsecretword" not in kept
    assert b"t o p s e c r e t" not in kept


def test_a_prefix_space_makes_the_first_word_like_the_others():
    settings = {"add_prefix_space": True, "merges": ("g o", "Ġ go")}
    assert pieces(["go", " go", ""], **settings) == [["Ġgo"], ["Ġgo"], []]


def test_a_word_of_the_vocabulary_is_whole_where_merges_are_ignored():
    assert pieces(["zap god"], ignore_merges=True, more=["zap"]) == [["zap", "Ġ", "go", "d"]]
    assert pieces(["zap"], more=["zap"]) == [["z", "a", "p"]]


def test_bytes_that_are_no_utf8_and_nuls_are_left_out():
    assert pieces([b"go\xffod", "go\x00od", "go\U0010ffffod"]) == [["good"]] * 3


def reference(split, merges, vocabulary, ignore_merges):
    tokenizers = pytest.importorskip("tokenizers", reason="the reference tokenizer is not installed")
    cut = tokenizers.pre_tokenizers

    def letters(use_regex):
        return cut.ByteLevel(add_prefix_space=False, use_regex=use_regex)

    def isolated(pattern):
        return cut.Split(tokenizers.Regex(pattern), "isolated")

    made = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            vocab=vocabulary, merges=[tuple(m.split(" ")) for m in merges], ignore_merges=ignore_merges
        )
    )
    # As in the tokenizer.json of GPT-2, Bloom, Falcon, Llama 3, Qwen 2 and SmolLM 2.
    made.pre_tokenizer = {
        "gpt2": lambda: letters(True),
        "bloom": lambda: cut.Sequence([isolated(r" ?[^(\s|[.,!?…。，、।۔،])]+"), letters(False)]),
        "falcon": lambda: cut.Sequence(
            [cut.Punctuation("contiguous"), letters(True), cut.Digits(False), isolated("[0-9][0-9][0-9]")]
        ),
        "llama3": lambda: cut.Sequence(
            [isolated(byte_pair._NEWER_STEP.replace("DIGITS", r"\p{N}{1,3}")), letters(False)]
        ),
        "smollm2": lambda: cut.Sequence([cut.Digits(True), letters(True)]),
        "qwen": lambda: cut.Sequence(
            [isolated(byte_pair._NEWER_STEP.replace("DIGITS", r"\p{N}")), letters(False)]
        ),
    }[split]()
    if split == "qwen":
        made.normalizer = tokenizers.normalizers.NFC()
    return made


def learned():
    """Return merges and vocabulary learned from this repository's README."""
    tokenizers = pytest.importorskip("tokenizers", reason="the reference tokenizer is not installed")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.train(
        [str(Path(__file__).resolve().parents[1] / "README.md")],
        tokenizers.trainers.BpeTrainer(vocab_size=500, initial_alphabet=LETTERS, show_progress=False),
    )
    model = json.loads(made.to_str())["model"]
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]], model["vocab"]


@pytest.mark.parametrize("split", byte_pair._SPLITS)
@pytest.mark.parametrize("ignore_merges", [False, True])
def test_ids_equal_those_of_the_tokenizers_library(split, ignore_merges):
    merges, vocabulary = learned()
    theirs = reference(split, merges, vocabulary, ignore_merges)
    ours = byte_pair.Tokenizer(
        vocabulary, merges, split=split, add_prefix_space=False, ignore_merges=ignore_merges
    )
    dice = random.Random(0)
    letters = "aeio st 'sS'T\n\r\t  \u00a0\u3000१६12345.,!?…。()|é\u0301我ñ👍\u200d_-#\x0b\x85ſ"
    texts = ["".join(dice.choice(letters) for _ in range(dice.randint(0, 25))) for _ in range(1000)]
    texts += [text for text in HARD_TEXTS if "\x00" not in text]
    assert byte_pair._told_split(Path(), json.loads(theirs.to_str())) == split
    assert ours.tokenize(tf.constant(texts)).to_list() == [theirs.encode(text).ids for text in texts]


def test_read_keras_hub_and_hugging_face_folders(tmp_path):
    for name in ("keras_hub", "files", "fast"):
        (tmp_path / name).mkdir()
    theirs = tiny.tokenizer_of("GPT2Backbone")
    theirs.save_to_preset(str(tmp_path / "keras_hub"))
    vocabulary, merges = dict(theirs.vocabulary), list(theirs.merges)
    special = {"<|endoftext|>": vocabulary.pop("<|endoftext|>")}
    (tmp_path / "files" / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "files" / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    (tmp_path / "files" / "added_tokens.json").write_text(json.dumps(special))
    fast = {
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [merge.split(" ") for merge in merges]},
        "added_tokens": [{"content": token, "id": number} for token, number in special.items()],
    }
    (tmp_path / "fast" / "tokenizer.json").write_text(json.dumps(fast))
    for name in ("keras_hub", "files", "fast"):
        tokenizer = byte_pair.read(tmp_path / name, split="gpt2")
        assert tokenizer.id_of("<|endoftext|>") == 0, name
        assert tokenizer.tokenize(tf.constant(["a good film"])).to_list() == [
            [theirs.token_to_id(token) for token in ("a", "Ġgood", "Ġfilm")]
        ], name


def test_what_a_run_keeps_is_restored(tmp_path):
    tokenizer, _ = make(split="llama3", add_prefix_space=True, ignore_merges=True, more=["é"])
    for name, content in tokenizer.files.items():
        (tmp_path / name).write_bytes(content)
    again = byte_pair.restore(tmp_path, json.loads(json.dumps(tokenizer.settings)))
    assert (again.settings, again.files) == (tokenizer.settings, tokenizer.files)


def test_what_is_no_byte_pair_vocabulary_is_refused(tmp_path):
    with pytest.raises(PresetError, match=r"no byte-pair vocabulary; expected vocab\.json and merges\.txt"):
        byte_pair.read(tmp_path, split="gpt2")
    with pytest.raises(PresetError, match="so it is not one of bytes"):
        byte_pair.Tokenizer({"a": 0}, [], split="gpt2", add_prefix_space=False, ignore_merges=False)
    with pytest.raises(PresetError, match=r"the merge 'q zz' needs the token 'zz', which the vocabulary"):
        byte_pair.Tokenizer(
            {letter: n for n, letter in enumerate(LETTERS)},
            ["q zz"], split="gpt2", add_prefix_space=False, ignore_merges=False,
        )  # fmt: skip


def test_a_rule_for_words_that_is_not_known_is_refused(tmp_path):
    fast = {
        "model": {"type": "BPE", "vocab": {letter: n for n, letter in enumerate(LETTERS)}, "merges": []},
        "pre_tokenizer": {"type": "Whitespace"},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(fast))
    with pytest.raises(PresetError, match=r"cuts words by a rule that tfft does not know: .*'Whitespace'"):
        byte_pair.read(tmp_path, split="gpt2")
    fast |= {"pre_tokenizer": {"type": "ByteLevel"}, "normalizer": {"type": "Lowercase"}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(fast))
    with pytest.raises(PresetError, match=r"does not know: normalizer {'type': 'Lowercase'}"):
        byte_pair.read(tmp_path, split="gpt2")

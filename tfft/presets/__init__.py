"""Presets: each file knows one place that pretrained weights come from.

`accepts(preset)` tells from the spelling whether this place is meant;
`folder(preset, sha256, verify)` returns a local folder in KerasHub or Hugging
Face format, fetched first where need be, which `verify` has not refused.
"""

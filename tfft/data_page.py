"""What `data_preview.py` found, as one HTML page: no script, nothing fetched, ready to print."""

import base64
import io
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import matplotlib.figure

from tfft.data_preview import visible
from tfft.errors import RunError

# Every text comes through `visible` and is escaped; pictures are SVG in <img>, where no script runs.
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ p.name | visible }}: {{ p.split }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222 }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc }
table { border-collapse: collapse; margin: .8rem 0 } caption { text-align: left; font-weight: 600 }
th, td { padding: .15rem .7rem .15rem 0; vertical-align: top; text-align: left }
th { font-weight: 600; color: #555 } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
td.t, dd { white-space: pre-wrap; overflow-wrap: anywhere }
section.row { border: 1px solid #ccc; border-radius: 4px; padding: .3rem 1rem .8rem; margin: 1rem 0 }
dl { display: grid; grid-template-columns: 9rem 1fr; gap: .2rem 1rem; margin: .3rem 0 }
dt { color: #666; overflow-wrap: anywhere } dd { margin: 0 }
ins { background: #d9f2dd; color: #14532d } del { background: #fbdcdc; color: #7f1d1d }
.k { display: inline-block; border: 1px solid #ccc; border-radius: 3px; padding: 0 .25rem }
.k { margin: .1rem .1rem 0 0; line-height: 1.25; text-align: center; white-space: pre-wrap }
.k small { display: block; color: #777; font-size: .65rem }
.special { background: #e0ecf8 } .b { background: #f7f1e0 }
.unknown { background: #fbdcdc; border-color: #b91c1c }
.gone { opacity: .6; text-decoration: line-through }
.bar { display: inline-block; height: .7rem; background: #4a7fb5 }
.dim { color: #666 } img { max-width: 100%; display: block }
@media print {
  body { max-width: none; margin: 0; font-size: 10pt } tr, img, .k { break-inside: avoid }
  h2, caption { break-after: avoid }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact }
}
</style>
</head>
<body>
{% macro pieces(tokens) -%}
{% for t in tokens -%}
<span class="k{{ ' special' if t.text is none }}{{ ' b' if t.text == 1 }}{{ ' unknown' if t.unknown }}">
{{- t.piece | piece }}<small>{{ t.id }}</small></span>
{%- endfor %}
{%- endmacro %}
{% macro changed(parts) -%}
{% for kind, text in parts -%}
{% if kind == 'added' %}<ins>{{ text | visible }}</ins>
{%- elif kind == 'removed' %}<del>{{ text | visible }}</del>
{%- else %}{{ text | visible }}{% endif %}
{%- endfor %}
{%- endmacro %}
<h1>{{ p.name | visible }}: what the model will see of {{ p.split }}</h1>
<p>{{ '{:,}'.format(p.rows) }} rows; backbone {{ p.preset | visible }}, sequence length
{{ p.tokens.sequence_length }}.</p>
{% if p.bad_rows %}
<p><strong>Bad rows that are left out: {{ '{:,}'.format(p.bad_rows | length) }}</strong>, the first:</p>
<ul>{% for row in p.bad_rows[:10] %}<li>{{ row | visible }}</li>{% endfor %}</ul>
{% endif %}

<h2>Target</h2>
{% if p.target.kind == 'number' %}
<table>
{% for name in ['mean', 'standard_deviation', 'lowest', 'highest'] %}
<tr><td>{{ name | replace('_', ' ') }}</td><td class="n">{{ '%.6g' | format(p.target[name]) }}</td></tr>
{% endfor %}
</table>
<img alt="Histogram of the target" src="{{ plots.target }}">
{% else %}
<table>
<tr><th>label</th><th class="n">{{ 'words' if p.target.kind == 'tags' else 'rows' }}</th>
<th class="n">share</th><th></th></tr>
{% for label in p.target.labels %}
<tr><td class="t">{{ label.label | visible }}</td><td class="n">{{ '{:,}'.format(label.rows) }}</td>
<td class="n">{{ '%.1f %%' | format(100 * label.share) }}</td>
<td><span class="bar" style="width: {{ '%.2f' | format(20 * label.rows / most) }}rem"></span></td></tr>
{% endfor %}
</table>
{% if p.target.kind == 'labels' %}
<p>{{ '%.2f' | format(p.target.mean_labels_per_row) }} labels a row on average:</p>
<table>
<tr><th class="n">labels</th><th class="n">rows</th></tr>
{% for number in p.target.labels_per_row %}
<tr><td class="n">{{ number.labels }}</td><td class="n">{{ '{:,}'.format(number.rows) }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% endif %}

<h2>Lengths</h2>
<table>
<caption>Tokens of the texts of a row, uncut, without the {{ p.tokens.special }} special ones</caption>
<tr><th>median</th><th>95th percentile</th><th>99th percentile</th><th>longest</th>
<th>rows without a token</th></tr>
<tr><td>{{ '{:,.0f}'.format(p.tokens.median) }}</td><td>{{ '{:,.0f}'.format(p.tokens.percentile_95) }}</td>
<td>{{ '{:,.0f}'.format(p.tokens.percentile_99) }}</td><td>{{ '{:,}'.format(p.tokens.longest) }}</td>
<td>{{ '{:,}'.format(p.tokens.without_tokens) }}</td></tr>
</table>
<img alt="Histogram of lengths" src="{{ plots.lengths }}">
<p>Sequence length {{ p.tokens.sequence_length }}
{%- if p.tokens.windows > 1 %} in {{ p.tokens.windows }} windows{% endif %} cuts
{{ '{:,}'.format(p.cut.cut) }} of
{{ '{:,}'.format(p.cut.rows) }} rows; {{ '%.1f %%' | format(100 * p.cut.tokens_lost) }} of all tokens are
lost.</p>
<table>
{% set enough = 'windows' if p.tokens.windows > 1 else 'sequence_length' %}
<tr><th class="n">rows that are cut, at most</th><th class="n">{{ enough | replace('_', ' ') }}</th></tr>
{% for option in p.tokens.enough %}
<tr><td class="n">{{ '%.0f %%' | format(100 * option.cut) }}</td>
<td class="n">{{ '{:,}'.format(option[enough]) }}</td></tr>
{% endfor %}
</table>
{% if p.cut.cut and p.cut.labels %}
<table>
<caption>Cut rows of each label</caption>
<tr><th>label</th><th class="n">rows</th><th class="n">cut</th><th class="n">tokens lost</th></tr>
{% for label in p.cut.labels if label.cut %}
<tr><td class="t">{{ label.label | visible }}</td><td class="n">{{ '{:,}'.format(label.rows) }}</td>
<td class="n">{{ '%.1f %%' | format(100 * label.cut / label.rows) }}</td>
<td class="n">{{ '%.1f %%' | format(100 * label.tokens_lost) }}</td></tr>
{% endfor %}
</table>
{% endif %}

<h2>Padding</h2>
<table>
<tr><th>{{ '{:,}'.format(p.padding.batches) }} batches</th><th class="n">padding</th></tr>
<tr><td>as they are made, of like length</td>
<td class="n">{{ '%.1f %%' | format(100 * p.padding.sorted) }}</td></tr>
<tr><td>unsorted</td><td class="n">{{ '%.1f %%' | format(100 * p.padding.unsorted) }}</td></tr>
<tr><td>all padded to {{ p.tokens.sequence_length }}</td>
<td class="n">{{ '%.1f %%' | format(100 * p.padding.full) }}</td></tr>
</table>
<table>
<caption>Batches as they are made, by their width</caption>
<tr><th>tokens</th><th class="n">batches</th><th class="n">rows</th><th class="n">padding</th></tr>
{% for bucket in p.padding.buckets %}
<tr><td>{{ bucket.from }} to {{ bucket.to }}</td><td class="n">{{ '{:,}'.format(bucket.batches) }}</td>
<td class="n">{{ '{:,}'.format(bucket.rows) }}</td>
<td class="n">{{ '%.1f %%' | format(100 * bucket.padding) }}</td></tr>
{% endfor %}
</table>

<h2>Unknown tokens</h2>
{% if p.unknown is none %}
<p>None can be: every byte has a token.</p>
{% else %}
<p>{{ '{:,}'.format(p.unknown.tokens) }} tokens ({{ '%.2f %%' | format(100 * p.unknown.share) }}), in
{{ '{:,}'.format(p.unknown.rows) }} rows.</p>
{% if p.unknown.words %}
<table>
<caption>Most frequent words that become unknown, in {{ '{:,}'.format(p.unknown.looked_at) }} of those
rows</caption>
<tr><th>word</th><th class="n">times</th></tr>
{% for word in p.unknown.words %}
<tr><td class="t">{{ word.word | visible }}</td><td class="n">{{ '{:,}'.format(word.times) }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% endif %}

<h2>Unusual characters</h2>
<p>Rows that the preparation changes: {{ '{:,}'.format(p.characters.changed) }}, that it leaves empty:
{{ '{:,}'.format(p.characters.empty.rows) }}
{%- if p.characters.empty.rows %} (the first: {{ p.characters.empty.first | join(', ') }}){% endif %}.</p>
<table>
<tr><th>kind</th><th>most frequent</th><th class="n">times</th><th class="n">rows</th>
<th class="n">left after preparation</th><th>step that mends it</th></tr>
{% for kind in p.characters.unusual %}
<tr><td>{{ kind.name }}</td>
<td class="t">{% for one in kind.most %}{{ one.character | visible }} &times;{{ one.times }}
{{- '' if loop.last else ', ' }}{% endfor %}
{%- if kind.looked_at < kind.rows %} (in {{ '{:,}'.format(kind.looked_at) }} rows){% endif %}</td>
<td class="n">{{ '{:,}'.format(kind.times) }}</td><td class="n">{{ '{:,}'.format(kind.rows) }}</td>
<td class="n">{{ '{:,}'.format(kind.left) }}</td>
<td>{{ kind.step or 'none: read or written in a wrong encoding' }}</td></tr>
{% endfor %}
</table>

<h2>Repeated texts</h2>
<table>
<tr><td>rows that repeat an earlier row of {{ p.split }}</td>
<td class="n">{{ '{:,}'.format(p.repeated.rows) }}</td></tr>
<tr><td>rows of one text, at most</td><td class="n">{{ '{:,}'.format(p.repeated.most) }}</td></tr>
{% for shared in p.repeated.shared %}
<tr><td>rows whose text stands in {{ shared.split }}, too</td>
<td class="n">{{ '{:,}'.format(shared.rows) }}</td></tr>
<tr><td>rows of {{ shared.split }} whose text stands in {{ p.split }}</td>
<td class="n">{{ '{:,}'.format(shared.other_rows) }}</td></tr>
{% endfor %}
</table>

<h2>Rows</h2>
<p>{{ p.examples | length }} rows at random, padded as if they were one batch. Tokens:
<span class="k special">special</span> <span class="k">text</span>
{% if p.examples and p.examples[0].texts | length > 1 %}<span class="k b">second text</span>{% endif %}
<span class="k unknown">unknown</span>.</p>
{% for row in p.examples %}
<section class="row">
<h3>Row {{ '{:,}'.format(row.row) }}</h3>
<dl>
{% for field in row.columns if row.words is none or field.value is string %}
<dt>{{ field.column | visible }}</dt>
<dd>{{ (field.value if field.value is string else field.value | join(', ')) | visible }}</dd>
{% endfor %}
{% if row.words is none %}
<dt>target</dt><dd>{{ row.target }}</dd>
{% else %}
<dt>words</dt><dd>{% for word in row.words %}<span class="k{{ ' unknown' if not word.tokens }}">
{{- word.word | visible }}<small>{{ word.tag | visible }}</small></span>{% endfor %}</dd>
{% endif %}
{% for text in row.texts %}
{% set of = ' ' ~ 'ab'[loop.index0] if row.texts | length > 1 else '' %}
{% if row.words is none and text.joined != row.columns[loop.index0].value %}
<dt>joined{{ of }}</dt><dd>{{ text.joined | visible }}</dd>
{% endif %}
{% for step in ['augmented', 'prepared'] %}
{% if text[step] is not none and text[step] | rejectattr(0, 'eq', 'same') | list %}
<dt>{{ step }}{{ of }}</dt><dd>{{ changed(text[step]) }}</dd>
{% endif %}
{% endfor %}
{% endfor %}
<dt>{{ row.tokens | length }} tokens</dt>
<dd>{{ pieces(row.tokens) }}
{%- if row.padding %} <span class="dim">{{ row.padding }} &times; {{ p.pad | piece }}</span>{% endif %}</dd>
{% if row.cut %}
<dt>{{ row.cut | length }} cut</dt><dd class="gone">{{ pieces(row.cut) }}</dd>
{% endif %}
</dl>
</section>
{% endfor %}
</body>
</html>
"""


def check(path: Path) -> None:
    """Refuse a page that could not be written.

    Raises:
        RunError: Something has that name, or its folder is not there.
    """
    if path.exists():
        raise RunError(
            f"{path} exists, and is not written over. Choose another name with --html, or remove it."
        )
    if not path.absolute().parent.is_dir():
        raise RunError(f"{path} cannot be written: its folder does not exist. Choose another with --html.")


def write(preview: Mapping[str, Any], path: Path) -> None:
    """Write the page.

    Args:
        preview: All that was found.
        path: Of a file that does not exist.

    Raises:
        RunError: It cannot be written, or something has that name.
    """
    check(path)
    content = _page(preview)
    temporary = path.with_name(f".{path.name}.writing")
    try:
        temporary.write_text(content, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error}. Choose another place with --html.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _page(preview: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["visible"] = visible
    environment.filters["piece"] = lambda piece: visible(piece).replace(" ", "␣").replace("\n", "\\n")
    target, tokens = preview["target"], preview["tokens"]
    plots = {"lengths": _plot(tokens["histogram"], "tokens of a row, uncut", cut=tokens["room"])}
    if target["kind"] == "number":
        plots["target"] = _plot(target["histogram"], "target")
    most = max((label["rows"] for label in target.get("labels", [])), default=1)
    return environment.from_string(_PAGE).render(p=preview, plots=plots, most=max(most, 1))


def _plot(histogram: Mapping[str, Sequence[float]], title: str, *, cut: float | None = None) -> str:
    """Return a picture of a histogram as a data URI, with a line where rows are cut."""
    figure = matplotlib.figure.Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.add_subplot()
    edges = histogram["edges"]
    widths = [end - start for start, end in itertools.pairwise(edges)]
    axes.bar(edges[:-1], histogram["counts"], widths, align="edge", color="#4a7fb5", edgecolor="white")
    axes.set(xlabel=title, ylabel="rows")
    if cut is not None and cut < edges[-1]:
        # What has more tokens than this is cut.
        axes.axvline(cut + 1, color="#b91c1c", linestyle="--", label="cut")
        axes.legend()
    stream = io.BytesIO()
    # No date and no random names, so that the same rows give the same page.
    with matplotlib.rc_context({"svg.hashsalt": "tfft"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()

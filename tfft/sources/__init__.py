"""Sources: each file reads one format into batches of rows, and reports the rows it cannot use.

The function `rows(path, columns, report, /, *, …)` yields Arrow record batches
that hold just `columns`, as text. It reads a file in portions; the whole is
never in memory. `report(line, reason)` is called for every row left out.
"""

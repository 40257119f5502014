"""Blocks of rows that fit the processor's cache."""

# Rows evaluated at once: few enough for activations to stay in the processor's cache,
# enough for the matrix products to run at full speed.
_BLOCK_BYTES = 2**23


def row_blocks(n_samples, width):
    """Cut rows into slices of about 8 MiB of float32, at least 64 rows each."""
    rows = max(64, _BLOCK_BYTES // (4 * max(width, 1)))
    return [slice(i, i + rows) for i in range(0, n_samples, rows)]

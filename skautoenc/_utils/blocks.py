"""Blocks of rows that fit the processor's cache."""

# Rows evaluated at once: few enough for activations to stay in the processor's cache,
# enough for the matrix products to run at full speed.
_BLOCK_BYTES = 2**23


def row_blocks(n_samples, width):
    """Cut rows into slices of about 8 MiB of float32, at least 64 rows each."""
    rows = max(64, _BLOCK_BYTES // (4 * max(width, 1)))
    return [slice(i, i + rows) for i in range(0, n_samples, rows)]


# Data with more rows, or more bytes of float32, are visited in blocks.
_MAX_ROWS_IN_MEMORY, _MAX_BYTES_IN_MEMORY = 2**18, 2**30


def is_streamed(X):
    """Whether training visits `X` in blocks, and stores nothing for each row."""
    n_samples, n_features = X.shape
    return (
        n_samples > _MAX_ROWS_IN_MEMORY
        or 4 * n_samples * n_features > _MAX_BYTES_IN_MEMORY
    )

"""Start where PCA ends."""

from sklearn.decomposition import PCA


def pca_is_exact(encoder, decoder, n_rows):
    """Whether the two models can be exactly PCA: one linear dense layer each."""
    n_features, n_components = encoder.input_shape[1], encoder.output_shape[1]
    return n_components <= min(n_features, n_rows) and all(
        len(model.weights) == 2
        and type(model.layers[-1]).__name__ == "Dense"
        and len(model.layers) == 2
        and model.layers[-1].activation.__name__ == "linear"
        for model in (encoder, decoder)
    )


def start_at_pca(encoder, decoder, rows, seed):
    """Give the two models the weights with which they are PCA on `rows`.

    Parameters
    ----------
    encoder, decoder : keras.Model
        For which `pca_is_exact`.

    rows : Rows
    seed : int
        For the randomised solver, which PCA takes for large data.
    """
    pca = PCA(encoder.output_shape[1], random_state=seed)
    pca.fit(rows.X[rows.index])
    encoder.set_weights([pca.components_.T, -pca.mean_ @ pca.components_.T])
    decoder.set_weights([pca.components_, pca.mean_])

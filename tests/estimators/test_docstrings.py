"""Docstrings: complete, equal where they are shared, and true to the signatures."""

import ast
import inspect
import re

import numpy as np
import pytest
from sklearn.externals._numpydoc.docscrape import ClassDoc, FunctionDoc

import skautoenc
from skautoenc import noise

ESTIMATORS = [
    skautoenc.AutoencoderTransformer,
    skautoenc.DenoisingAutoencoder,
    skautoenc.VariationalAutoencoder,
]
PUBLIC = [getattr(skautoenc, name) for name in skautoenc.__all__]
METHODS = {
    (cls, name): method
    for cls in [
        *ESTIMATORS,
        skautoenc.AutoencoderOutlierDetector,
        skautoenc.EncoderClassifier,
        skautoenc.EncoderRegressor,
    ]
    for name, method in inspect.getmembers(cls, inspect.isroutine)
    if not name.startswith("_") and method.__module__.startswith("skautoenc")
}
FUNCTIONS = [
    *PUBLIC,
    noise.gaussian,
    noise.masking,
    noise.salt_and_pepper,
    noise.swap,
    *METHODS.values(),
    skautoenc.AutoencoderImputer.fit,
    skautoenc.AutoencoderImputer.transform,
    skautoenc.AutoencoderImputer.get_feature_names_out,
]

# Described differently where a parameter or attribute means something else.
DIFFERENT = {
    "hidden_layer_sizes",
    "init",
    "learning_rate",
    "early_stopping",
    "mixup_",
    "noise_variance_",
}


def parsed(documented):
    kind = ClassDoc if inspect.isclass(documented) else FunctionDoc
    return kind(documented)


def entries(documented, section):
    """Name, type and description of each entry; entries of several names are split."""
    return {
        name: (entry.type, " ".join(" ".join(entry.desc).split()))
        for entry in parsed(documented)[section]
        for name in entry.name.lstrip("*").split(", ")
    }


def default_in(type_):
    found = re.search(r"default=(.*)$", type_)
    return found and found[1]


@pytest.mark.parametrize("documented", FUNCTIONS, ids=lambda f: f.__qualname__)
def test_docstring_documents_the_parameters_of_the_signature(documented):
    signature = [
        parameter
        for parameter in inspect.signature(documented).parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    documents = entries(documented, "Parameters")
    assert list(documents) == [parameter.name for parameter in signature]
    for parameter in signature:
        type_, description = documents[parameter.name]
        assert description, parameter.name
        if type_ == "Ignored" or parameter.kind is parameter.VAR_KEYWORD:
            continue
        default = default_in(type_)
        if parameter.default is parameter.empty:
            assert default is None, parameter.name
        else:
            assert default is not None, parameter.name
            value = np.nan if default == "np.nan" else ast.literal_eval(default)
            assert repr(value) == repr(parameter.default), parameter.name


@pytest.mark.parametrize("documented", FUNCTIONS, ids=lambda f: f.__qualname__)
def test_docstring_describes_what_is_returned_and_has_no_placeholders(documented):
    doc = parsed(documented)
    assert doc["Summary"]
    assert not re.search(r"<[a-z_]+>", inspect.getdoc(documented))
    if not inspect.isclass(documented):
        assert all(entry.desc for entry in doc["Returns"])
        annotation = inspect.signature(documented).return_annotation
        assert bool(doc["Returns"]) == (annotation is not None)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_docstring_documents_the_attributes_of_a_fit(cls, digits):
    # With such a rate the fit ends as PCA if it starts from it, and has all attributes.
    params = {"hidden_layer_sizes": (), "epochs": 1, "learning_rate": 1.0}
    estimator = cls(2, early_stopping=True, **params).fit(digits)
    attributes = {name for name in vars(estimator) if re.fullmatch(r"[a-z]\w*_", name)}
    models = {"encoder_", "decoder_", "autoencoder_"}
    documents = entries(cls, "Attributes")
    conditional = {"feature_names_in_"}
    if "one_hot_groups" in inspect.signature(cls).parameters:
        conditional.add("one_hot_groups_")
    assert set(documents) == attributes | models | conditional
    assert all(description for _, description in documents.values())


def test_docstring_documents_the_attributes_of_an_imputer(digits):
    fitted = vars(skautoenc.AutoencoderImputer(epochs=1).fit(digits))
    attributes = {name for name in fitted if re.fullmatch(r"[a-z]\w*_", name)}
    documents = entries(skautoenc.AutoencoderImputer, "Attributes")
    assert set(documents) == attributes | {"feature_names_in_"}


@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
@pytest.mark.parametrize("cls", ESTIMATORS[1:])
def test_docstrings_describe_shared_parameters_and_attributes_alike(cls, section):
    reference, other = entries(ESTIMATORS[0], section), entries(cls, section)
    shared = (reference.keys() & other.keys()) - DIFFERENT
    assert len(shared) > 8
    for name in shared:
        assert other[name] == reference[name], name

"""An attribute is replaced inside the context only."""

import pytest

from skautoenc._utils.patching import patched


class Example:
    def __init__(self):
        self.of_instance = self._of_property = "before"

    def method(self):
        return "before"

    @property
    def of_property(self):
        return self._of_property

    @of_property.setter
    def of_property(self, value):
        self._of_property = value


@pytest.mark.parametrize("name", ["of_instance", "of_property"])
def test_patched_restores_the_value_of_an_attribute(name):
    example = Example()
    with patched(example, name, "patched"):
        assert getattr(example, name) == "patched"
    assert getattr(example, name) == "before"
    assert vars(example).keys() == vars(Example()).keys()


def test_patched_removes_a_replaced_method_from_the_instance():
    example = Example()
    with patched(example, "method", lambda: "patched"):
        assert example.method() == "patched"
    assert vars(example).keys() == vars(Example()).keys()
    assert example.method() == "before"


def test_patched_restores_the_attribute_after_an_error():
    example = Example()
    with pytest.raises(LookupError), patched(example, "of_instance", "patched"):
        raise LookupError
    assert example.of_instance == "before"

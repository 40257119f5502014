"""The structure of the package, read from its source: imports, private names, sizes."""

import ast
import graphlib
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS = 400, 60, 8

# What each module or package below `skautoenc` may import from the others.
_BACKEND = {"_utils", "layers"}
_FITTED = {"_backend", *_BACKEND}
_ENGINES_OR_NETWORKS = {"_fitted", *_FITTED}
_FIT = {"_imputation", "_training", "networks", "noise", *_ENGINES_OR_NETWORKS}
MAY_IMPORT = {
    "_utils": set(),
    "layers": set(),
    "_backend": _BACKEND,
    "_fitted": _FITTED,
    "_training": _ENGINES_OR_NETWORKS,
    "networks": _ENGINES_OR_NETWORKS,
    "_fit": _FIT,
    "_outliers": {"_utils"},
    "_onnx": {"_fitted", "_outliers", "_utils"},
    "_estimators": {"_fit", "_onnx", "_outliers", *_FIT},
    "noise": {"_utils"},
    "_imputation": {"_utils"},
    "_comparison": {"_utils"},
    "_imputer_comparison": {"_comparison", "_utils"},
    "plotting": {"_comparison", "_imputer_comparison", "_utils"},
    "_show_versions": set(),
    "": {
        "_comparison",
        "_estimators",
        "_imputer_comparison",
        "_show_versions",
        "_utils",
        "networks",
    },
}

FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}
IMPORTS_FRAMEWORKS = re.compile(r"_backend\..*|_training\.\w+_engine(\..*)?|layers")
PRIVATE_NAMES_IN = {
    "keras": "_backend.keras_internals",
    "sklearn": "_utils.sklearn_compat",
}
# Private by name only: of the module os, of named tuples, and of Dask collections.
DOCUMENTED = {"_exit", "_asdict", "_fields", "_make", "_replace", "_meta"}

DISTRIBUTIONS = {"sklearn": "scikit-learn"}


class Import(NamedTuple):
    """An import: `module` is absolute, and `name` is None for ``import module``."""

    line: int
    module: str
    name: str | None
    is_for_types: bool
    is_optional: bool


def within(statements: Iterable[ast.If | ast.Try]) -> set[int]:
    """The ids of all nodes in the bodies of statements."""
    bodies = [child for statement in statements for child in statement.body]
    return {id(node) for child in bodies for node in ast.walk(child)}


class Function(NamedTuple):
    node: ast.FunctionDef
    name: str
    owner: ast.ClassDef | None


class Source:
    """A module of the package; its name is relative to `skautoenc`."""

    def __init__(self, path: Path):
        self.path = path.relative_to(ROOT)
        parts = list(self.path.with_suffix("").parts)
        self.package = parts[:-1]
        self.name = ".".join(part for part in parts[1:] if part != "__init__")
        self.text = path.read_text()
        self.tree = ast.parse(self.text)

    def problem(self, line: int, message: str) -> str:
        return f"{self.path}:{line}: {message}"

    def imports(self) -> list[Import]:
        """All imports, also those within functions and by `import_module`."""
        nodes = list(ast.walk(self.tree))
        for_types = within(
            n
            for n in nodes
            if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)
        )
        optional = within(
            n
            for n in nodes
            if isinstance(n, ast.Try)
            and any("ImportError" in ast.unparse(h.type or n) for h in n.handlers)
        )
        return [
            Import(
                node.lineno, module, name, id(node) in for_types, id(node) in optional
            )
            for node in nodes
            for module, name in self._imported(node)
        ]

    def _imported(self, node: ast.AST) -> Iterator[tuple[str, str | None]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = [node.module] if node.module else []
            if node.level:
                module = self.package[: len(self.package) + 1 - node.level] + module
            yield from ((".".join(module), alias.name) for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and "import_module" in ast.unparse(node.func)
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node.args[0].value, None

    def functions(self) -> Iterator[Function]:
        """All functions and methods, with their qualified names."""

        def visit(node, prefix, owner):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield Function(child, prefix + child.name, owner)
                    yield from visit(child, f"{prefix}{child.name}.", None)
                elif isinstance(child, ast.ClassDef):
                    yield from visit(child, f"{prefix}{child.name}.", child)
                else:
                    yield from visit(child, prefix, owner)

        return visit(self.tree, "", None)

    def code_lines(self) -> set[int]:
        """Numbers of the lines with code: no docstrings, comments and blank lines."""
        layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER)
        layout = (*layout, tokenize.INDENT, tokenize.DEDENT)
        lines = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in layout:
                lines.update(range(token.start[0], token.end[0] + 1))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        for node in ast.walk(self.tree):
            if isinstance(node, documented) and ast.get_docstring(node) is not None:
                docstring = node.body[0]
                lines -= set(range(docstring.lineno, docstring.end_lineno + 1))
        return lines


SOURCES = {
    source.name: source
    for source in map(Source, sorted((ROOT / "skautoenc").rglob("*.py")))
}


def imported_module(found: Import) -> str | None:
    """The module of the package that is imported, or None if it is another's."""
    if found.module.split(".")[0] != "skautoenc":
        return None
    module = found.module.removeprefix("skautoenc").removeprefix(".")
    submodule = f"{module}.{found.name}".removeprefix(".")
    return submodule if submodule in SOURCES else module


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def report(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n".join(sorted(problems)), pytrace=False)


def test_modules_import_only_from_the_packages_below_them():
    problems = []
    for source in SOURCES.values():
        package = source.name.split(".")[0]
        if package not in MAY_IMPORT:
            problems.append(source.problem(1, f"MAY_IMPORT has no entry {package}"))
            continue
        for found in source.imports():
            module = imported_module(found)
            if module is None:
                continue
            other = module.split(".")[0]
            if other not in {package, *MAY_IMPORT[package]}:
                message = f"{package or 'skautoenc'} may not import {other or 'it'}"
                problems.append(source.problem(found.line, message))
    report(problems)


def test_modules_import_one_another_without_a_cycle():
    graph = {
        source.name: {imported_module(found) for found in source.imports()} - {None}
        for source in SOURCES.values()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # graphlib lists the imported module before the module that imports it.
        _, cycle = error.args
        files = [f"{SOURCES[name].path}:1" for name in reversed(cycle)]
        pytest.fail(f"a cycle of imports: {' -> '.join(files)}", pytrace=False)


def test_only_the_backend_engines_and_layers_import_keras_or_its_backends():
    report(
        [
            source.problem(found.line, f"imports {found.module}")
            for source in SOURCES.values()
            if not IMPORTS_FRAMEWORKS.fullmatch(source.name)
            for found in source.imports()
            if not found.is_for_types and found.module.split(".")[0] in FRAMEWORKS
        ]
    )


def test_private_modules_and_functions_of_dependencies_are_imported_in_one_file():
    problems = []
    for source in SOURCES.values():
        for found in source.imports():
            package, *path = found.module.split(".")
            names = [*path, found.name or ""]
            is_internal = any(map(is_private, names)) or "keras.src" in found.module
            only_in = PRIVATE_NAMES_IN.get(package)
            if package == "skautoenc" or package.startswith("_") or not is_internal:
                continue
            if source.name != only_in:
                name = ".".join(filter(None, [found.module, found.name]))
                message = f"{name} is private; import it in {only_in or 'no file'}"
                problems.append(source.problem(found.line, message))
        for node in ast.walk(source.tree):
            if (
                isinstance(node, ast.Constant)
                and "keras.src" in str(node.value)
                and source.name != PRIVATE_NAMES_IN["keras"]
            ):
                problems.append(source.problem(node.lineno, "a string with keras.src"))
    report(problems)


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Names of functions, classes, variables, and attributes set on self or cls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute):
            is_set = isinstance(node.ctx, ast.Store)
            if is_set and isinstance(node, ast.Name):
                yield node.id
            elif is_set and ast.unparse(node.value) in ("self", "cls"):
                yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant))


def used_attributes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Attributes that are read or set, by a dot or by functions such as getattr."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call) and re.search(
            "attr(getter)?$|^patched$", ast.unparse(node.func)
        ):
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            yield from ((node.lineno, name) for name in names if isinstance(name, str))


def test_private_attributes_of_dependencies_are_used_in_one_file_each():
    ours = {n for source in SOURCES.values() for n in defined_names(source.tree)}
    report(
        [
            source.problem(line, f"{name} is a private attribute of a dependency")
            for source in SOURCES.values()
            if source.name not in PRIVATE_NAMES_IN.values()
            for line, name in used_attributes(source.tree)
            if is_private(name) and name not in ours | DOCUMENTED
        ]
    )


def test_files_have_at_most_400_lines_of_code():
    report(
        [
            source.problem(1, f"{n} lines of code")
            for source in SOURCES.values()
            if (n := len(source.code_lines())) > MAX_FILE_LINES
        ]
    )


def test_functions_have_at_most_60_lines_of_code():
    problems = []
    for source in SOURCES.values():
        lines = source.code_lines()
        for function in source.functions():
            node = function.node
            n = len(lines.intersection(range(node.lineno, node.end_lineno + 1)))
            if n > MAX_FUNCTION_LINES:
                message = f"{function.name} has {n} lines of code"
                problems.append(source.problem(node.lineno, message))
    report(problems)


def is_public_module(source: Source) -> bool:
    return not any(map(is_private, source.name.split(".")))


def public_classes_and_functions() -> set[str]:
    """Names in the `__all__` of public modules, and the bases of such classes."""
    names, bases = set(), {}
    for source in SOURCES.values():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {ast.unparse(base) for base in node.bases}
        if is_public_module(source):
            for node in source.tree.body:
                if ast.unparse(node).startswith("__all__ ="):
                    names.update(ast.literal_eval(node.value))
    inherited = list(names)
    while inherited:
        found = bases.get(inherited.pop(), set()) - names
        names |= found
        inherited += found
    return names


def is_public(function: Function, source: Source, names: set[str]) -> bool:
    owner, _, method = function.name.rpartition(".")
    if is_private(method):
        return False
    return (owner or method) in names or (is_public_module(source) and not owner)


def test_functions_that_are_not_public_have_at_most_8_parameters():
    problems, public = [], public_classes_and_functions()
    for source in SOURCES.values():
        for function in source.functions():
            arguments = function.node.args
            n = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
            decorators = map(ast.unparse, function.node.decorator_list)
            n -= function.owner is not None and "staticmethod" not in decorators
            if n > MAX_PARAMETERS and not is_public(function, source, public):
                message = f"{function.name} has {n} parameters"
                problems.append(source.problem(function.node.lineno, message))
    report(problems)


def test_each_private_package_has_a_readme():
    packages = [path.parent for path in ROOT.glob("skautoenc/_*/__init__.py")]
    assert packages
    report(
        [
            f"{package.relative_to(ROOT)}:1: there is no README.md"
            for package in packages
            if not (package / "README.md").is_file()
        ]
    )


def test_each_imported_package_is_a_dependency_in_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    required = [*project["dependencies"], *extras["jax"], *extras["torch"]]
    declared = {re.match(r"[\w.-]+", name)[0] for name in required}
    no_dependencies = {*sys.stdlib_module_names, "skautoenc"}
    problems = []
    for source in SOURCES.values():
        for found in source.imports():
            package = found.module.split(".")[0]
            if found.is_for_types or found.is_optional or package in no_dependencies:
                continue
            distribution = DISTRIBUTIONS.get(package, package)
            if distribution not in declared:
                message = f"{distribution} is not in pyproject.toml's dependencies"
                problems.append(source.problem(found.line, message))
    report(problems)

"""The architecture as tests: which way imports point, what importing costs, how long a file may be."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bayesml"
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# The flow from text and data to results. A module imports what stands left of it (above it here), never the reverse.
FLOW = (
    "errors",
    "foreign",
    "garbage_collection",
    "shapes",
    "datasets",
    "lazy",
    "arithmetic",
    "frozen",
    "delegation",
    "notebook",
    "namespace",
    "user_function",
    "links",
    "keys",
    "names",
    "distributions",
    "formula",
    "frame",
    "columns",
    "smooths",
    "processes",
    "supports",
    "spec",
    "variables",
    "linalg",
    "families",
    "response_terms",
    "priors",
    "terms",
    "language",
    "expansion",
    "response_columns",
    "ordered",
    "response_design",
    "design",
    "describe",
    "numpyro_supports",
    "compile",
    "reported",
    "posterior",
    "convergence",
    "engines",
    "numpyro_model",
    "exporting",
    "results",
    "fit",
    "resuming",
    "bayesml",  # the list of public names
)

HEAVY = (
    *("arviz", "arviz_base", "arviz_plots", "arviz_stats", "blackjax", "jax", "matplotlib", "numpyro", "pandas"),
    *("scipy.linalg", "scipy.optimize", "scipy.sparse", "scipy.special", "scipy.stats"),
)


def layer(module: str) -> str:
    """Return the entry of ``FLOW`` that a module belongs to."""
    return module.split(".")[1] if "." in module else module


@cache
def parsed(module: str) -> ast.Module:
    """Return the syntax tree of a file; every test reads the same one."""
    return ast.parse(FILES[module].read_text())


def guards_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def imports(tree: ast.AST, *, with_types: bool) -> Iterator[str]:
    """Yield the modules that a file imports, inside functions too; those for annotations only on request."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            yield from (submodule_or_self(node.module or "", alias.name) for alias in node.names)
        elif with_types or not guards_types(node):
            yield from imports(node, with_types=with_types)


def submodule_or_self(module: str, name: str) -> str:
    return f"{module}.{name}" if f"{module}.{name}" in FILES else module


def own_imports(module: str, *, with_types: bool) -> set[str]:
    tree = parsed(module)
    return {name for name in imports(tree, with_types=with_types) if name.split(".")[0] == "bayesml"} - {module}


def in_every_module(law: Callable[[str], None]) -> Callable[[], None]:
    """Make one test of a law: it runs in every module and lists those that break it."""

    def check() -> None:
        broken = {}
        for module in FILES:
            try:
                law(module)
            except AssertionError as error:
                broken[module] = str(error)
        assert not broken, f"{law.__doc__ or law.__name__}\n" + "\n".join(f"{name}: {broken[name]}" for name in broken)

    check.__name__, check.__doc__ = law.__name__, law.__doc__
    return check


def test_flow_lists_every_stage() -> None:
    assert {layer(module) for module in FILES} <= set(FLOW), "give the new module its place in FLOW"


@in_every_module
def test_imports_point_left(module: str) -> None:
    place = {name: position for position, name in enumerate(FLOW)}
    here = layer(module)
    wrong = [
        name
        for name in own_imports(module, with_types=True)
        if layer(name) != here and place[layer(name)] >= place[here]
    ]
    assert not wrong, f"{module} stands left of {wrong} and may not import from there"


def test_no_import_cycles() -> None:
    graph = {module: own_imports(module, with_types=True) for module in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


@in_every_module
def test_formulaic_stays_behind_the_formula_stage(module: str) -> None:
    if layer(module) not in {"formula", "columns"}:
        names = imports(parsed(module), with_types=True)
        assert "formulaic" not in {name.split(".")[0] for name in names}


def names_used(tree: ast.AST) -> set[str]:
    """Return the names that a file imports, reads or looks up as attributes; not those in its texts."""
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return imported | read | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@in_every_module
def test_no_stage_knows_an_engine(module: str) -> None:
    """What must be known of an engine is asked of it (`AbstractEngine`); only the table of engines names them all."""
    inside = module.startswith("bayesml.engines.nuts")
    if not inside and module not in {"bayesml", "bayesml.engines", "bayesml.engines.dispatch"}:
        assert "NUTS" not in names_used(parsed(module))
        imported = own_imports(module, with_types=True)
        assert not [name for name in imported if name.startswith("bayesml.engines.nuts")]


@in_every_module
def test_no_stage_knows_the_kinds_of_estimates(module: str) -> None:
    """What must be known of an estimate is asked of it (`AbstractEstimate`)."""
    if not module.startswith("bayesml.engines.point"):
        assert not {"LinearEstimate", "GeneralisedEstimate"} & names_used(parsed(module))


@in_every_module
def test_no_verb_imports_the_classes_that_name_it(module: str) -> None:
    """Functions of fits are written against the records of `bayesml.results.record.fit`."""
    makers = ("bayesml.results.fits", "bayesml.results.storage.io", "bayesml.results.checks.check_laplace")
    if module.startswith("bayesml.results") and not module.startswith(makers):
        assert "bayesml.results.fits.fit_object" not in own_imports(module, with_types=True)


# Where a word that is a family's name means something else: the distribution of group effects, what effects of unseen
# levels are drawn from, the default of an argument, and a type of columns.
OTHER_MEANINGS = {
    "gaussian": {
        *("bayesml.results.checks.refits", "bayesml.results.projection.submodel"),
        "bayesml.results.projection.reference",
        *("bayesml.fit", "bayesml.formula.grouping", "bayesml.formula.types", "bayesml.formula.write"),
        *("bayesml.terms.group", "bayesml.results.frequentist.simulate"),
        *("bayesml.results.predict.new_levels", "bayesml.results.predict.point_rows"),
        "bayesml.results.predict.point_survival",
        *("bayesml.results.marginal.spread", "bayesml.results.fits.multiple", "bayesml.results.fits.refitting"),
    },
    "student": {"bayesml.formula.grouping", "bayesml.results.tables.equation"},
    "exponential": {"bayesml.processes.kernels"},
    "categorical": {"bayesml.frame.read"},
}
KINDS_OF_FAMILIES = ("bayesml.families", "bayesml.foreign", "bayesml.datasets", "bayesml.distributions")


@in_every_module
def test_no_stage_knows_a_family_by_name(module: str) -> None:
    """What must be known of a likelihood is one of its traits."""
    if module == "bayesml" or module.startswith(KINDS_OF_FAMILIES):
        return
    families = set(importlib.import_module("bayesml.families").FAMILIES) - {"beta"}  # also the name of coefficients
    texts = {node.value for node in ast.walk(parsed(module)) if isinstance(node, ast.Constant)}
    named = {text for text in texts if isinstance(text, str)} & families
    assert not {name for name in named if module not in OTHER_MEANINGS.get(name, ())}


@in_every_module
def test_only_compile_samples(module: str) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(parsed(module)) if isinstance(node, ast.Call)}
    assert "numpyro.sample" not in calls or module == "bayesml.compile"


@cache
def kinds() -> frozenset[str]:
    """Return the files of the kinds of terms, response terms and joint priors, from their registries."""
    terms, response_terms, priors = (
        importlib.import_module(f"bayesml.{stage}") for stage in ("terms", "response_terms", "priors")
    )
    found = [kind.collect.__module__ for kind in terms.TERMS.values()]
    registries = (response_terms.RESPONSE_TERMS, response_terms.RESIDUAL_TERMS, response_terms.PRODUCTS)
    found += [kind.__module__ for registry in registries for kind in registry.values()]
    return frozenset(found + [prior.__module__ for prior in priors.JOINT_PRIORS.values()])


@in_every_module
def test_kinds_stay_in_their_stage(module: str) -> None:
    """Outside no kind of term, response term or joint prior is known: a stage asks kinds, which answer themselves."""
    used = own_imports(module, with_types=True) & kinds()
    assert not {name for name in used if layer(name) != layer(module) and module != "bayesml"}


@in_every_module
def test_no_stage_knows_a_joint_prior(module: str) -> None:
    """Only its own file, the table of joint priors and the public names say it; `AbstractJointPrior` answers for it."""
    registry = {"bayesml", "bayesml.priors", "bayesml.priors.parse", "bayesml.priors.horseshoe"}
    if module not in registry:
        assert not {"Horseshoe", "horseshoe"} & names_used(parsed(module))


@in_every_module
def test_no_super_and_no_hasattr(module: str) -> None:
    names = {
        node.func.id
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not names & {"super", "hasattr"}


@in_every_module
def test_annotations_of_arrays_say_shapes(module: str) -> None:
    """No name stands for an array of any shape: `Array` is jaxtyping's, `Float[Array, "levels coefs"]`."""
    of_any_shape = [
        target.id
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        if ast.unparse(node.value) in {"Any", "typing.Any"}
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and "Array" in target.id
    ]
    assert not of_any_shape, f"{module} has {of_any_shape} = Any; say the shapes, see `bayesml/shapes.py`"


@in_every_module
def test_files_are_short(module: str) -> None:
    assert len(FILES[module].read_text().splitlines()) <= 400


@pytest.mark.smoke
@pytest.mark.parametrize("statement", ["import bayesml", "import bayesml.datasets; bayesml.datasets.list_datasets()"])
def test_import_is_light(statement: str) -> None:
    code = f"{statement}\nimport sys\nprint(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


@pytest.mark.smoke
def test_every_public_name_exists_and_is_documented() -> None:
    bayesml = importlib.import_module("bayesml")
    assert len(bayesml.__all__) == len(set(bayesml.__all__))
    undocumented = [name for name in bayesml.__all__ if not is_documented(getattr(bayesml, name))]
    assert undocumented == []


def is_documented(value: object) -> bool:
    if isinstance(value, str):  # __version__
        return True
    described = value if inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value) else type(value)
    text = described.__doc__ or ""
    # A dataclass without a docstring gets its signature as one.
    return bool(text.strip()) and not text.startswith(f"{getattr(described, '__name__', '')}(")

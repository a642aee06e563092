"""The house's laws, executable: purity of the six rooms, small files and functions, units in names, no stray words."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
PURE = ("kernel", "records", "decode", "track", "integrity", "alarm")
BANNED_CALLS = {"now", "today", "utcnow", "open", "print", "input", "seed", "rand", "randn", "exec", "eval"}
PRODUCT = sorted((SRC / "lapwing").rglob("*.py"))
LAB = sorted((SRC / "lapwing_lab").rglob("*.py"))
PURE_FILES = [p for room in PURE for p in sorted((SRC / "lapwing" / room).rglob("*.py"))]


def name_of(path):
    return str(path.relative_to(SRC))


def tree(path):
    return ast.parse(path.read_text())


def called(node):
    f = node.func
    return f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "")


@pytest.mark.parametrize("path", PURE_FILES, ids=name_of)
def test_pure_rooms_call_no_clock_no_disk_no_dice(path):
    calls = {called(n) for n in ast.walk(tree(path)) if isinstance(n, ast.Call)}
    assert not calls & BANNED_CALLS


@pytest.mark.parametrize("path", PURE_FILES, ids=name_of)
def test_pure_rooms_have_no_globals_that_change(path):
    assert not [n for n in ast.walk(tree(path)) if isinstance(n, ast.Global | ast.Nonlocal)]


@pytest.mark.parametrize("path", [*PRODUCT, *LAB], ids=name_of)
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 60, f"{node.name} in {path.name}"


@pytest.mark.parametrize("path", [*PRODUCT, *LAB], ids=name_of)
def test_every_module_says_what_it_is_and_annotations_are_real(path):
    module = tree(path)
    assert ast.get_docstring(module)
    assert "from __future__ import annotations" not in path.read_text()


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_nothing_is_called_done_that_is_not(path):
    assert not re.search(r"NotImplementedError|TODO|FIXME|XXX|\bstub\b", path.read_text())


@pytest.mark.parametrize("path", [p for p in PRODUCT if "records" in p.parts], ids=name_of)
def test_records_are_frozen_and_their_times_and_lengths_carry_units(path):
    suspicious = re.compile(r"(time|range|azimuth|latitude|longitude|height|speed|radius|altitude)$")
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        decorators = [ast.unparse(d) for d in node.decorator_list]
        if any(d.startswith("dataclass") for d in decorators):
            assert any("frozen=True" in d for d in decorators), node.name
            names = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign)]
            assert not [n for n in names if suspicious.search(n)], node.name


def test_no_code_can_label_a_track_hostile_or_command_an_effector():
    words = re.compile(r"\b(hostile|effector|intercept|weapon|fire.?control)\w*", re.IGNORECASE)
    allowed = re.compile(r"never|no |not |refuse|without|watch|hostile (bytes|world|text)", re.IGNORECASE)
    for path in PRODUCT:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if words.search(line):
                assert allowed.search(line), f"{name_of(path)}:{number}: {line.strip()}"


TRACKING = ("assignment", "beliefs", "branching", "gating", "gaussian", "hypotheses", "manoeuvre", "marginals")


def test_the_trackers_kernels_let_go_of_pythons_lock():
    """They run for tens of milliseconds in a thread; the server must read, answer and encode meanwhile."""
    for name in TRACKING:
        lines = (SRC / "lapwing" / "kernel" / f"{name}.py").read_text().splitlines()
        marked = [line for line in lines if line.startswith("@njit")]
        assert marked, name
        assert all("nogil=True" in line for line in marked), name


def test_the_web_offers_reading_only():
    from lapwing.records import Position, Site
    from lapwing.serve.web import WebOptions, create_app

    class Nothing:
        def latest(self):
            return None

        async def wait(self, after_tick):
            raise AssertionError

        def frame(self, seq):
            return None

        def feeds_of(self, seqs):
            return {}

        def history(self, since_ns, until_ns, kind, ident):
            raise LookupError

        def cells(self, since_ns, until_ns):
            raise LookupError

    app = create_app(Nothing(), Site("s", Position(0.0, 0.0, 0.0), (), (), ()), WebOptions())
    methods = {m for route in app.routes for m in getattr(route, "methods", None) or ()}
    assert methods <= {"GET", "HEAD"}

"""T-GOSPA of sets of trajectories by its authors' own code, an implementation that is not ours.

Runs outside the project. Needs Octave and a folder with `LPTrajMetric_cluster.m` of github.com/Agarciafernandez/MTT
("Trajectory metric/", BSD-2-Clause); nothing of it is kept here. Octave has no `linprog`: GLPK stands in for it.

    python builders/golden_t_gospa.py --mtt FOLDER

writes tests/golden/t_gospa.json: the six examples of the paper (Garcia-Fernandez, Rahmathullah, Svensson, IEEE T-SP 68,
2020) and one with holes, as in the authors' example script, then random sets. Their distance is the p-norm, so order 1
is asked for in one dimension only, where it is ours, too. A few cases are left out: Octave's `diff` refuses a cluster
of a single step, which MATLAB's takes.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
LINPROG = """function [x, cost] = linprog(f, A, b, Aeq, beq, lb, ub, x0, options)
kinds = [repmat('U', 1, rows(A)), repmat('S', 1, rows(Aeq))];
[x, cost, problem] = glpk(f, [A; Aeq], [full(b); beq], lb, ub, kinds, repmat('C', 1, numel(f)), 1);
assert(problem == 0);
end
"""
OPTIONS = "function o = optimoptions(varargin)\no = [];\nend\n"


def main() -> None:
    """The cases, what Octave says of them, the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mtt", type=Path, required=True, help="folder with LPTrajMetric_cluster.m")
    folder = parser.parse_args().mtt.resolve()
    rows = examples() + [random_case(np.random.default_rng((2020, k))) for k in range(80)]
    for row, said in zip(rows, by_octave(folder, rows), strict=True):
        row |= dict(zip(("metric", "localisation", "missed", "false", "switch"), said, strict=True))
        row["x"], row["y"] = (_plain(row[name]) for name in ("x", "y"))
    done = [row for row in rows if np.isfinite(row["metric"])]
    text = json.dumps(done).replace('}, {"', '},\n{"')
    Path("tests/golden/t_gospa.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(done)} of {len(rows)} cases, {sum(row['switch'] > 0.0 for row in done)} with switches")


def examples() -> list[dict[str, Any]]:
    """Examples 1 to 7 of the authors' script: one dimension, c = 5, p = 1, gamma = 1. (n, t, 1), NaN = not there."""

    def of(*lives: tuple[float, int, int], steps: int) -> Array:
        out = np.full((len(lives), steps, 1), np.nan)
        for row, (place, first, length) in enumerate(lives):
            out[row, first - 1 : first - 1 + length] = place
        return out

    crossed = of((2.0, 1, 4), (1.2, 1, 4), steps=4)
    crossed[0, 2:], crossed[1, 2:] = 1.2, 2.0
    hole = of((0.5, 1, 5), (2.0, 1, 5), steps=5)
    hole[1, 2] = np.nan
    sets = [
        (of((1.0, 1, 5), steps=5), of((2.0, 1, 5), steps=5)),
        (of((1.0, 1, 5), steps=5), of((2.0, 1, 4), steps=5)),
        (of((1.0, 1, 5), steps=5), of((1.1, 1, 3), (1.1, 4, 2), steps=5)),
        (of((1.0, 1, 5), (2.2, 1, 3), (2.2, 4, 2), steps=5), of((1.1, 1, 3), (1.1, 4, 2), (2.1, 1, 5), steps=5)),
        (of((1.0, 1, 4), (2.2, 1, 4), steps=4), crossed),
        (of((1.0, 1, 4), (2.2, 1, 4), steps=4), of((2.0, 1, 4), (1.2, 1, 2), (1.2, 3, 2), steps=4)),
        (hole, of((1.5, 1, 5), (0.0, 1, 5), steps=5)),
    ]
    return [{"x": x, "y": y, "c": 5.0, "p": 1.0, "gamma": 1.0} for x, y in sets]


def random_case(rng: np.random.Generator) -> dict[str, Any]:
    """Truth that wanders; tracks that follow it with errors, change over to another, break off and begin anew."""
    steps, n, p = int(rng.integers(5, 16)), int(rng.integers(0, 5)), float(rng.integers(1, 3))
    d = 1 if p == 1.0 else int(rng.integers(1, 3))
    x = rng.uniform(-6.0, 6.0, (n, 1, d)) + np.cumsum(rng.normal(0.0, 1.0, (n, steps, d)), axis=1)
    m = int(rng.integers(0, 6))
    y = rng.uniform(-9.0, 9.0, (m, 1, d)) + np.cumsum(rng.normal(0.0, 1.0, (m, steps, d)), axis=1)
    for j in range(m):
        at = 0
        while n and at < steps:
            end = at + int(rng.integers(2, steps + 1))
            if rng.random() < 0.85:
                follows = x[int(rng.integers(0, n)), at:end]
                y[j, at:end] = follows + rng.normal(0.0, 0.7, follows.shape)
            at = end
    for lives in (x, y):
        for row in lives:
            begin = int(rng.integers(0, steps - 1)) if rng.random() < 0.5 else 0
            end = int(rng.integers(begin + 1, steps + 1)) if rng.random() < 0.5 else steps
            row[:begin], row[end:] = np.nan, np.nan
            if end - begin > 3 and rng.random() < 0.3:
                row[int(rng.integers(begin + 1, end - 1))] = np.nan
    return {"x": x, "y": y, "c": float(rng.uniform(2.0, 8.0)), "p": p, "gamma": float(rng.uniform(0.3, 4.0))}


def by_octave(folder: Path, rows: list[dict[str, Any]]) -> list[list[float]]:
    """Metric and the sums over time of its four parts (to the power p) of every case."""
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)
        (here / "linprog.m").write_text(LINPROG, encoding="utf-8")
        (here / "optimoptions.m").write_text(OPTIONS, encoding="utf-8")
        lines = [f"addpath('{folder}'); addpath('{here}'); warning('off', 'all');"]
        for row in rows:
            lines += [_literal("X", row["x"]), _literal("Y", row["y"])]
            call = f"LPTrajMetric_cluster(X, Y, {row['c']!r}, {row['p']!r}, {row['gamma']!r})"
            lines.append(f"try; [d, l, m, f, s] = {call}; catch; d = l = m = f = s = NaN; end")
            lines.append("printf('%.17g %.17g %.17g %.17g %.17g\\n', d, sum(l), sum(m), sum(f), sum(s));")
        (here / "cases.m").write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = ["octave-cli", "--no-gui", "--quiet", str(here / "cases.m")]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [[float(number) for number in line.split()] for line in said.splitlines()]


def _literal(name: str, lives: Array) -> str:
    """A struct of the authors' kind: xState (d, t, n), first step and length of each; NaN within = a hole."""
    n, steps, d = lives.shape
    here = np.isfinite(lives[:, :, 0])
    first = here.argmax(axis=1)
    length = steps - here[:, ::-1].argmax(axis=1) - first
    inside = (np.arange(steps) >= first[:, None]) & (np.arange(steps) < (first + length)[:, None])
    numbers = " ".join(
        "NaN" if np.isnan(v) else repr(float(v)) for v in np.where(inside[:, :, None], lives, 0.0).ravel()
    )
    columns = (" ".join(str(int(v)) for v in values) for values in (first + 1, length))
    tv, iv = (f"reshape([{text}], {n}, 1)" for text in columns)
    return f"{name} = struct('xState', reshape([{numbers}], {d}, {steps}, {n}), 'tVec', {tv}, 'iVec', {iv});"


def _plain(lives: Array) -> list[Any]:
    return [[None if np.isnan(v).any() else v.tolist() for v in row] for row in lives]


if __name__ == "__main__":
    main()

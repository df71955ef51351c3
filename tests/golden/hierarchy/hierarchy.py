#!/usr/bin/env python3
"""Golden numbers of reconciliation: hierarchicalforecast 1.5.3 on generated data.

usage: hierarchy.py > hierarchy.json
"""
import json
import numpy as np
from hierarchicalforecast.methods import BottomUp, MinTrace, TopDown

STEPS, HORIZON = 40, 3


def case(leaves, columns, levels, seed, missing):
    rng = np.random.default_rng(seed)
    groups = [{} for _ in [[]] + levels]
    for place, level in enumerate([[]] + levels):
        for leaf, keys in enumerate(leaves):
            value = "/".join(keys[columns.index(column)] for column in level) or "total"
            groups[place].setdefault(value, []).append(leaf)
    ids, rows, tags = [], [], {}
    for level, nodes in zip(["total"] + ["/".join(level) for level in levels], groups):
        tags[level] = np.arange(len(ids), len(ids) + len(nodes))
        for value in sorted(nodes):
            ids.append(value)
            rows.append([float(leaf in nodes[value]) for leaf in range(len(leaves))])
    tags["leaves"] = np.arange(len(ids), len(ids) + len(leaves))
    ids += ["/".join(keys) for keys in leaves]
    S = np.vstack([np.array(rows), np.eye(len(leaves))])
    # A size of 20: the 2e-8 that hierarchicalforecast adds to variances is then below the tolerance.
    common = 20 * rng.normal(size=STEPS)
    bottom = 400 + 200 * rng.random((len(leaves), 1)) + 2 * common + 60 * rng.normal(size=(len(leaves), STEPS))
    y = S @ bottom
    fitted = y + 20 * rng.normal(size=y.shape) * np.sqrt(S.sum(axis=1, keepdims=True)) + 0.5 * common
    if missing:
        fitted[rng.random(fitted.shape) < 0.05] = np.nan
    y_hat = (S @ bottom[:, -HORIZON:]) + 80 * rng.normal(size=(len(ids), HORIZON))
    common_args = dict(S=S, y_hat=y_hat, y_insample=y, y_hat_insample=fitted)
    expected = {"bottom_up": BottomUp().fit_predict(S=S, y_hat=y_hat)["mean"]}
    for method in ["ols", "wls_struct", "wls_var", "mint_shrink"]:
        # Where errors are missing, it divides variances by all moments, known or not, and shrinks by another factor.
        if not (missing and method in ["wls_var", "mint_shrink"]):
            expected[method] = MinTrace(method).fit_predict(**common_args)["mean"]
    if all(set(small) <= set(large) for small, large in zip(levels, levels[1:])):
        for method in ["average_proportions", "proportion_averages", "forecast_proportions"]:
            name = "top_down_" + method
            expected[name] = TopDown(method).fit_predict(**common_args, tags=tags)["mean"]
    numbers = lambda array: [[None if np.isnan(v) else float(v) for v in row] for row in array]
    return {
        "columns": columns, "leaves": leaves, "levels": levels, "ids": ids,
        "history": numbers(bottom), "residuals": numbers(y - fitted), "base": numbers(y_hat),
        "expected": {method: numbers(array) for method, array in expected.items()},
    }


TREE = [["A", "x", "1"], ["A", "x", "2"], ["A", "y", "1"], ["B", "x", "1"], ["B", "z", "3"], ["C", "w", "1"]]
CROSSED = [[region, product] for region in "ABC" for product in ["p", "q", "r", "s"] if region + product != "Bq"]
print(json.dumps({
    "kind": "hierarchy", "source": "hierarchicalforecast 1.5.3",
    "cases": [
        case(TREE, ["region", "town", "shop"], [["region"], ["region", "town"]], 1, False),
        case(CROSSED, ["region", "product"], [["region"], ["product"]], 2, False),
        case(CROSSED, ["region", "product"], [["region"], ["product"]], 3, True),
    ],
}))

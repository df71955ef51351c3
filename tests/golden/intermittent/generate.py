"""Makes statsforecast.json: points of statsforecast 2.1.1 for intermittent demand. pip install statsforecast==2.1.1

The series are drawn by numpy's default generator, seed 7, and written out with the forecasts. `weights` are of TSB, of
sizes and of the probability.
"""
import json, pathlib
import numpy as np
from statsforecast import models

rng = np.random.default_rng(7)
series = []
for length, share, size in [(40, 0.3, 2.0), (120, 0.1, 6.0), (365, 0.5, 1.5), (60, 0.9, 20.0), (25, 0.05, 1.0)]:
    occurs = rng.random(length) < share
    series.append((occurs * (1 + rng.poisson(size, length))).astype(float))
series.append(np.where(rng.random(80) < 0.4, rng.gamma(2.0, 3.0, 80), 0.0))
series.append(np.array([0.0, 0.0, 3.0]))

def point(model, y):
    return float(model.forecast(y=y, h=1)["mean"][0])

cases = [{
    "values": y.tolist(),
    "croston_classic": point(models.CrostonClassic(), y),
    "croston_optimized": point(models.CrostonOptimized(), y),
    "croston_sba": point(models.CrostonSBA(), y),
    "tsb": [{"weights": [d, p], "point": point(models.TSB(alpha_d=d, alpha_p=p), y)} for d, p in [(0.1, 0.1), (0.2, 0.35), (0.05, 0.6)]],
    "adida": point(models.ADIDA(), y),
    "imapa": point(models.IMAPA(), y),
} for y in series]
pathlib.Path(__file__).with_name("statsforecast.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")

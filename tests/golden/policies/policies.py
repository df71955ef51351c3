"""What each policy for duplicates, gaps and order makes of one fixture, by hand and not by the program.

Run in this folder: it writes the two files of the fixture and one golden file a policy. A golden file has a row for every step
of every series that is left, with an empty y where a value is missing and filled = 1 where it is a guess.
"""

from datetime import date, timedelta

START = date(2024, 1, 1)
NONE = ""

# Series d: 4 days; 2 January stands twice in the first file and once more in the second, 3 January twice in the second.
# Series g: 20 days; no rows for days 2 and 9 to 11, a row without a value on day 16. Its usual season is a week.
# Series o: 4 days, of which the third stands before the second.
D = {"a": [(0, 1.0), (1, 2.0), (1, 4.0)], "b": [(1, 9.0), (2, 6.0), (2, 7.0), (3, 5.0)]}
G = [(day, float(day * day % 17 + day)) for day in range(20) if day not in (2, 9, 10, 11)]
G = [(day, NONE if day == 16 else value) for day, value in G]
O = [(0, 1.0), (2, 3.0), (1, 2.0), (3, 4.0)]


def ds(day):
    return (START + timedelta(days=day)).isoformat()


def fixture():
    rows = {"a": [("d", *row) for row in D["a"]] + [("g", *row) for row in G], "b": [("d", *row) for row in D["b"]]}
    rows["b"] += [("o", *row) for row in O]
    for name, lines in rows.items():
        with open(f"rows_{name}.csv", "w") as file:
            file.write("id,ds,y\n" + "".join(f"{id},{ds(day)},{y}\n" for id, day, y in lines))


def duplicates(policy):
    """Series d; files are in the order a, b, and a is the one that was modified last."""
    if policy == "error":
        return None
    rule = {
        "first": lambda a, b: (a + b)[0],
        "last": lambda a, b: (a + b)[-1],
        "latest": lambda a, b: (a or b)[-1],
        "mean": lambda a, b: sum(a + b) / len(a + b),
        "sum": lambda a, b: sum(a + b),
    }[policy]
    of = lambda file, day: [y for at, y in D[file] if at == day]
    return [(day, rule(of("a", day), of("b", day)), 0) for day in range(4)]


def gaps(policy):
    """Series g."""
    if policy == "error":
        return None
    there = {day: y for day, y in G}
    known = {day: y for day, y in G if y != NONE}
    out, values = [], {}
    for day in range(20):
        if day in known:
            y, filled = known[day], 0
        elif policy in ("mask", "null"):
            y, filled = NONE, 0
        elif policy == "zero":
            # A row that says that nothing was observed is not one that was never written; a zero is no guess.
            y, filled = (NONE if day in there else 0.0), 0
        else:
            before = max(at for at in known if at < day)
            after = min(at for at in known if at > day)
            line = known[before] + (known[after] - known[before]) * (day - before) / (after - before)
            last = known[before]
            y = {"ffill": last, "linear": line, "seasonal": values.get(day - 7, values[day - 1])}[policy]
            filled = 1
        values[day] = y
        out.append((day, y, filled))
    return out


def order(policy):
    """Series o."""
    return None if policy == "error" else [(day, y, 0) for day, y in sorted(O)]


def golden(name, **series):
    with open(f"{name}.csv", "w") as file:
        file.write("unique_id,ds,y,filled\n")
        for id, rows in series.items():
            for day, y, filled in rows or []:
                file.write(f"{id},{ds(day)},{y},{filled}\n")


fixture()
for policy in ("error", "first", "last", "latest", "mean", "sum"):
    golden(f"duplicates_{policy}", d=duplicates(policy), g=gaps("mask"), o=order("sort"))
for policy in ("mask", "null", "error", "zero", "ffill", "linear", "seasonal"):
    golden(f"gaps_{policy}", d=duplicates("last"), g=gaps(policy), o=order("sort"))
for policy in ("sort", "error"):
    golden(f"order_{policy}", d=duplicates("last"), g=gaps("mask"), o=order(policy))

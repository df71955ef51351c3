#!/usr/bin/env python3
"""Golden file of recurrence rules, expanded by python-dateutil.

usage: recurrences.py [COUNT] [SEED] > tests/golden/recurrences.csv

Lines are `start;rule;dates` (the rule's own semicolons as `|`): every occurrence until the end of 2012 in the order of time, at
most 40 of them.
"""
import datetime
import random
import sys

from dateutil.rrule import rrulestr

DAYS = "MO TU WE TH FR SA SU".split()
LAST = datetime.datetime(2013, 1, 1) - datetime.timedelta(seconds=1)


def some(rng, values, most):
    return ",".join(str(value) for value in sorted(rng.sample(values, rng.randint(1, most)), key=values.index))


def rule(rng):
    freq = rng.choice("DAILY WEEKLY MONTHLY YEARLY".split())
    parts = [f"FREQ={freq}"]
    if rng.random() < 0.4:
        parts.append(f"INTERVAL={rng.randint(2, 7)}")
    if rng.random() < 0.4:
        parts.append(f"BYMONTH={some(rng, list(range(1, 13)), 4)}")
    if freq in ("MONTHLY", "YEARLY") and rng.random() < 0.5:
        days = [f"{rng.choice([-2, -1, 1, 2, 3, 4, 5])}{day}" for day in DAYS]
        parts.append(f"BYDAY={some(rng, days, 2)}")
    elif rng.random() < 0.5:
        parts.append(f"BYDAY={some(rng, DAYS, 4)}")
        if freq == "MONTHLY" and rng.random() < 0.5:
            parts.append(f"BYSETPOS={rng.choice([-1, 1, 2])}")
    elif freq != "WEEKLY" and rng.random() < 0.6:
        parts.append(f"BYMONTHDAY={some(rng, [-3, -1, 1, 2, 13, 15, 28, 29, 30, 31], 3)}")
    elif freq == "YEARLY" and rng.random() < 0.3:
        parts.append(f"BYYEARDAY={some(rng, [-1, 1, 60, 100, 200, 366], 3)}")
    elif freq == "YEARLY" and rng.random() < 0.3:
        parts.append(f"BYWEEKNO={some(rng, [-1, 1, 20, 52, 53], 2)};BYDAY={some(rng, DAYS, 2)}")
    if rng.random() < 0.3:
        parts.append(f"WKST={rng.choice(['SU', 'MO'])}")
    end = rng.random()
    if end < 0.3:
        parts.append(f"COUNT={rng.randint(1, 20)}")
    elif end < 0.5:
        parts.append(f"UNTIL=20{rng.randint(11, 12)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}T120000Z")
    return ";".join(parts)


def main():
    count, seed = (int(text) for text in (sys.argv[1:] + ["100", "1"][len(sys.argv) - 1 :]))
    rng = random.Random(seed)
    print("start;rule;dates")
    done = 0
    while done < count:
        start = datetime.datetime(2009, 1, 1, 9, 30) + datetime.timedelta(days=rng.randint(0, 500))
        text = rule(rng)
        dates = []
        for date in rrulestr(text.replace("Z", ""), dtstart=start):
            if date > LAST or len(dates) > 40:
                break
            dates.append(date)
        if len(dates) <= 40:
            print(f"{start:%Y%m%dT%H%M%S};{text.replace(';', '|')};{' '.join(f'{date:%Y%m%d}' for date in dates)}")
            done += 1


if __name__ == "__main__":
    main()

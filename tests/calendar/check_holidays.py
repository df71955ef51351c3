#!/usr/bin/env python3
"""Golden file of public holidays, and agreement of the built-in rules with the Python package `holidays`.

usage: check_holidays.py golden > tests/golden/holidays.csv     what the unit test compares (needs holidays==0.109)
       check_holidays.py compare DUMP                           agreement, country by country, with lines `country,date`
                                                                that the program's rules gave (test `dump_for_the_check`)

"Public" is the package's default category of each country. `GB-ENG` is the part ENG of GB.
"""
import collections
import datetime
import sys
import warnings

import holidays

warnings.simplefilter("ignore")
CODES = (
    "AT AU BE BR CA CH CN CZ DE DK ES FI FR GB GB-ENG GB-NIR GB-SCT GB-WLS GR HU IE IT JP KR MX NL NO NZ PL PT SE SK US ZA"
).split()
GOLDEN_YEARS = range(2016, 2028)
LAST_YEAR = {"CN": 2026}


def dates(code, years):
    country, _, part = code.partition("-")
    # A year more on either side: substitutes cross the turn of the year.
    wide = range(years.start - 1, years.stop + 1)
    found = holidays.country_holidays(country, subdiv=part or None, years=wide)
    return sorted(day for day in found if day.year in years)


def golden():
    print("country,date")
    for code in CODES:
        for day in dates(code, range(GOLDEN_YEARS.start, min(GOLDEN_YEARS.stop, LAST_YEAR.get(code, 9999) + 1))):
            print(f"{code},{day}")


def compare(path):
    ours = collections.defaultdict(set)
    for line in open(path):
        code, day = line.strip().split(",")
        ours[code].add(datetime.date.fromisoformat(day))
    for code in sorted(ours):
        years = range(min(ours[code]).year, max(ours[code]).year + 1)
        theirs = set(dates(code, years))
        missing, extra = sorted(theirs - ours[code]), sorted(ours[code] - theirs)
        print(f"{code:7} {years.start}-{years.stop - 1}: {len(theirs)} days, {len(missing)} missing, {len(extra)} extra")
        for mark, days in (("missing", missing), ("extra", extra)):
            for day in days:
                print(f"        {mark} {day} {day:%a}")


if __name__ == "__main__":
    if sys.argv[1:] == ["golden"]:
        golden()
    elif sys.argv[1:2] == ["compare"] and len(sys.argv) == 3:
        compare(sys.argv[2])
    else:
        sys.exit(__doc__)

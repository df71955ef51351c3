"""What explains an outcome or a line of the log: a policy that was followed, or a fault of the journal at that time."""

import re
from datetime import datetime

from soak_config import EXTRA, JOBS

PLANS = {job.name: job for job in [*JOBS, EXTRA]}
DARK = ("down", "frozen")
DRAIN_LIMIT = 30  # seconds, of the config
MINUTE = 60  # seconds
LINES_MAX = 60  # of one place a minute: the default of --log-limit
SOURCE = ("torn", "bad file", "missing", "foreign", "feed", "hole", "old file gone")
GATE = [
    r"version \d+ is better on the last values of step",
    r"seasonal naive is better on the last values of step",
    r"the [\d.]+ % interval of the candidate holds",
    r"version \d+ runs in shadow beside version \d+",
    r"version \d+ ran in shadow: ",
    r"its pinball loss on the \d+ values that both forecast is",
]


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def explain_reason(run, row, reason):
    """Why a slot ended so, in a few words; `None` if nothing explains it."""
    for pattern, rule in RULES:
        match = re.search(pattern, reason)
        if match:
            return rule(run, row, match)
    # Data errors name a file of the source, or its command; the others count what was left out.
    is_about_data = re.search(r"/data/|^exec: |^\d+ files? skipped|^\d+ series left out|^\d+ series with status", reason)
    return by_source(run, row, None) if is_about_data else None


def schedule(run, row):
    """The schedules that may have been in force for a row: that of the plan, and another one for a while."""
    own = PLANS[row.job].stages()[row.stage]
    changed = row.stage == "forecast" and run.faults.find("schedule", row.slot, row.ended, after=60, daemon=run.name, job=row.job)
    return own, bool(changed)


def dark(run, since, until):
    """Whether nobody was there, or the job was not, at a time."""
    return run.faults.find(DARK, since, until, daemon=run.name)


def other(run, row, text):
    at = instant(text)
    return [r for r in run.by_line[row.job, row.stage] if abs(r.slot - at) < 1e-3 and r.id != row.id]


def overlaps(run, row, match):
    own, _ = schedule(run, row)
    before = [r for r in other(run, row, match[1]) if r.planned <= row.planned + 0.01 and r.ended + 0.01 >= row.planned]
    return "policy: overlap = forbid" if own.overlap == "forbid" and before else None


def replaced(run, row, match):
    own, _ = schedule(run, row)
    return "policy: overlap = replace" if own.overlap == "replace" and other(run, row, match[1]) else None


def gone(run, row, match):
    kinds = ("removed", "added", "schedule")
    return "config: removed" if run.faults.find(kinds, row.planned, row.ended, after=60, daemon=run.name, job=row.job) else None


def once(run, row, match):
    own, changed = schedule(run, row)
    same = [r for r in run.by_line[row.job, row.stage] if r.planned == row.planned and r.slot > row.slot]
    is_unseen = dark(run, row.slot - 1, row.planned) or absent(run, row)
    return "policy: missed = once" if own.missed == "once" and same and is_unseen else None


def skipped(run, row, match):
    own, _ = schedule(run, row)
    is_unseen = dark(run, row.slot - 1, row.planned) or absent(run, row)
    return "policy: missed = skip" if own.missed == "skip" and is_unseen else None


def absent(run, row):
    return run.faults.find(("removed", "added"), row.slot - 1, row.planned, after=60, daemon=run.name, job=row.job)


def late(run, row, match):
    own, _ = schedule(run, row)
    is_late = own.max_lateness and row.ended - row.slot > own.max_lateness * 60
    return "policy: max_lateness" if is_late else None


def gave_way(run, row, match):
    own, _ = schedule(run, row)
    return "policy: gave way" if own.overlap != "queue" and row.attempts and other(run, row, match[1]) else None


def nothing_yet(run, row, match):
    first = [r.slot for r in run.by_line[row.job, "forecast"] if r.outcome in ("ok", "degraded")]
    return "nothing had come true" if not first or row.slot - min(first) < 360 else None


def gate(run, row, match):
    return "gate" if row.stage in ("train", "score") else None


def budget(run, row, match):
    return "budget" if "budget" in PLANS[row.job].model else None


def no_model(run, row, match):
    trained = [r.ended for r in run.by_line[row.job, "train"] if r.outcome in ("ok", "degraded")]
    return "before the first model" if not trained or row.started < min(trained) + 1 else horizon(run, row, match)


def horizon(run, row, match):
    """The horizon was another one, and no training with the new one has ended since."""
    trainings = [r for r in run.by_line[row.job, "train"] if r.outcome in ("ok", "degraded") and r.started]
    for fault in run.faults.find("horizon", 0, row.ended, daemon=run.name, job=row.job):
        trained = [r.ended for r in trainings if r.started > fault["ended"]]
        if row.started <= min(trained, default=1e18) + 1 and fault["began"] - 1 <= row.ended:
            return "config: another horizon"
    return by_source(run, row, match)


def fallback(run, row, match):
    return no_model(run, row, match) or by_source(run, row, match)


def earlier(run, row, match):
    return "killed after publishing" if row.attempts > 1 and dark(run, row.planned, row.ended) else None


def replaced_source(run, row):
    return run.faults.find("replaced", row.planned, row.ended or row.planned + 600, source=PLANS[row.job].source)


def by_source(run, row, match):
    """A fault of its source while it was worked, or before another attempt."""
    found = run.faults.find(SOURCE, row.planned, row.ended, before=1, after=2, source=PLANS[row.job].source)
    kinds = sorted({fault["kind"] + (f" ({fault['what']})" if "what" in fault else "") for fault in found})
    return "source: " + ", ".join(kinds) if kinds else None


RULES = [
    (r"^the slot of (\S+) still (?:runs|waits) \(overlap = forbid\)", overlaps),
    (r"^replaced by the slot of (\S+) \(overlap = replace\)", replaced),
    (r"the config has no such schedule any more", gone),
    (r"^a later slot runs in its place \(missed = once\)", once),
    (r"^its time passed while nobody was there \(missed = skip\)", skipped),
    (r" late, max_lateness is ", late),
    (r"^no attempt before the slot of (\S+) was due", gave_way),
    (r"^no published forecast has come true yet", nothing_yet),
    (r"^the budget ended training early", budget),
    (r"no model serves yet", no_model),
    (r"another horizon", horizon),
    (r"\d+ series with status fallback", fallback),
    (r"^published by an earlier attempt", earlier),
    *((pattern, gate) for pattern in GATE),
]


def explain_line(run, entry):
    """What explains a warning or an error of the log; `None` if nothing does."""
    at, message = entry["at"], entry["message"]
    find = lambda kinds, **match: run.faults.find(kinds, at, at, daemon=run.name, **match)  # noqa: E731
    if message.startswith("attempt failed"):
        row = next((r for r in run.rows if r.id == entry["slot_id"]), None)
        if row and "took its place" in entry["reasons"] and replaced_source(run, row):
            return "the source was replaced meanwhile"
        return row and (by_source(run, row, None) or (dark(run, row.planned, row.ended or at) and "killed"))
    if message.startswith("config rejected"):
        return "a bad config" if find("bad config") else None
    if message.startswith("lines were left out"):
        # One line a start and one an end: 60 of a place a minute are enough but where a job has many slots to make up for. Without
        # those the minute would have fitted.
        ended = sorted((r for r in run.rows if r.ended and at - 2 * MINUTE <= r.ended <= at), key=lambda r: r.ended)
        minutes = [[r for r in ended if first.ended <= r.ended < first.ended + MINUTE] for first in ended]
        made_up = lambda minute: sum(r.planned - r.slot > MINUTE for r in minute)  # noqa: E731
        fits_without = any(len(m) - made_up(m) <= LINES_MAX < len(m) for m in minutes)
        is_of_slots = all(place.startswith("src/schedule/daemon.rs") for place in entry["places"].split(", "))
        return "many missed slots at once" if is_of_slots and fits_without else None
    if message.startswith("stopping at once"):
        return "told twice" if find("down") else None
    if message.startswith("the drain limit is over"):
        # Forecasts may finish, and fits of one series each hear of the end when they are done.
        told = [e for e in find("down") if e["what"] in ("SIGTERM", "long") and at - e["began"] < DRAIN_LIMIT + 5]
        return "told to end while a forecast took long" if told else None
    return None

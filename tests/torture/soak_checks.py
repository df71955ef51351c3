"""What has to hold after a soak, asked of what it recorded; everything that no fault explains is a problem."""

import json
import re
import sqlite3
import statistics
import time
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

from soak_config import EXTRA, JOBS
from soak_daemon import COLUMNS
from soak_rules import DARK, SOURCE, by_source, explain_line, explain_reason, replaced_source

SECOND = 1_000_000
PLANS = {job.name: job for job in [*JOBS, EXTRA]}
LOAD_MAX = 4  # processes that want a core, for each core, beyond which an answer may not come in 20 s
LAG_MAX = 20  # seconds until a slot is seen, on a machine that is busy
LIMIT = 1.10  # how much more of anything the last quarter may use than the second


class Faults:
    """The journal, asked for what was going on in a span of time."""

    def __init__(self, folder):
        self.entries = lines(folder / "journal.jsonl")
        for entry in self.entries:
            entry["ended"] = entry["ended"] or time.time()

    def find(self, kinds, began, ended, before=1.0, after=1.0, **match):
        """Those of some kinds that overlap [began, ended] or end so many seconds before it."""
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        return [
            e
            for e in self.entries
            if e["kind"] in kinds
            and e["began"] - before <= ended
            and e["ended"] + after >= began
            and all(e.get(key) == value for key, value in match.items())
        ]


class Row:
    """A slot; times in seconds."""

    def __init__(self, values):
        number, job, stage, slot, trigger, planned, started, ended, outcome, is_late, attempts, run_id, reasons = values
        self.id, self.job, self.stage, self.trigger, self.outcome = number, job, stage, trigger, outcome
        self.slot, self.planned, self.started, self.ended = (t and t / SECOND for t in (slot, planned, started, ended))
        self.is_late, self.attempts, self.run_id, self.reasons = bool(is_late), attempts, run_id, json.loads(reasons)

    def __str__(self):
        at = datetime.fromtimestamp(self.slot).strftime("%H:%M:%S")
        return f"slot {self.id} {self.job} {self.stage} {at} ({self.trigger}, attempts {self.attempts}) {self.outcome}"


class Run:
    """All that was recorded of one daemon."""

    def __init__(self, name, folder, faults):
        self.name, self.folder, self.faults = name, folder, faults
        ledger = read_ledger(folder, name)
        self.rows = [Row(values) for values in ledger["rows"]]
        self.ledger_problems = ledger["problems"]
        self.samples = [s for s in lines(folder / f"samples-{name}.jsonl") if "rss" in s]
        self.pages, self.readers = lines(folder / f"pages-{name}.jsonl"), lines(folder / f"readers-{name}.jsonl")
        self.log, self.words = read_log(folder / name / "log.jsonl")
        self.by_line = defaultdict(list)
        for row in self.rows:
            self.by_line[row.job, row.stage].append(row)


def read_ledger(folder, name):
    """The mirror, and of a soak that goes on what the ledger itself says by now."""
    path = folder / f"ledger-{name}.json"
    mirror = json.loads(path.read_text()) if path.exists() else {"rows": [], "problems": []}
    rows = {values[0]: values for values in mirror["rows"]}
    database = sqlite3.connect(f"file:{folder / name}/state/ledger.db?mode=ro", uri=True, timeout=10)
    rows |= {values[0]: values for values in database.execute(f"select {COLUMNS} from slots")}
    database.close()
    return {"rows": list(rows.values()), "problems": mirror["problems"]}


def lines(path):
    entries = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            pass  # being written
    return entries


def read_log(path):
    """Lines of the log above INFO, and what is no line of it at all."""
    log, words = [], []
    for line in path.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            words.append(line)
            continue
        if entry["level"] in ("WARN", "ERROR"):
            entry["at"] = datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00")).timestamp()
            log.append(entry)
    return log, words


# --- the ledger -------------------------------------------------------------------------------------------------------


def spans(run, job, stage, end):
    """When a schedule was in force, by the configs in the journal: (step in seconds, from, to)."""
    configs = sorted((e for e in run.faults.entries if e["kind"] == "config" and e["daemon"] == run.name), key=lambda e: e["began"])
    found, rule, step, since, until = [], None, None, None, None
    for entry in configs:
        now = entry["rules"].get(job, {}).get(stage)
        if now is None:
            until = until or (rule and entry["began"])
        elif rule is None or now[0] != rule:
            if rule is not None:
                found.append((step, since, until or entry["began"]))
            (rule, step), since, until = (now[0], now[1] * 60), entry["ended"], None
        else:
            until = None  # the same rule goes on where it was
    return found + ([(step, since, until or end)] if rule else [])


def complete(run, end):
    """Every instant of every schedule has one row with one outcome, and no other instant has any."""
    problems, expected = [], 0
    for job, stage in sorted((name, stage) for name, plan in PLANS.items() for stage in plan.stages()):
        rows = [r for r in run.by_line[job, stage] if r.trigger == "schedule"]
        seen = Counter(r.slot for r in rows)
        problems += [f"{run.name} {job} {stage}: {n} rows for {slot}" for slot, n in seen.items() if n > 1]
        allowed = set()
        for step, since, until in spans(run, job, stage, end):
            # Around a change of the rule a slot may belong to either; one that nobody could see before it is dropped with it.
            dark = run.faults.find(("down", "frozen"), until - 3, until + 3, daemon=run.name)
            tolerated = min([until - 3, *(e["began"] - 3 for e in dark)])
            for slot in range(int(since // step + 1) * step, int(until) + 1, step):
                allowed.add(slot)
                expected += 1
                if slot not in seen and since + 3 < slot < tolerated:
                    problems.append(f"{run.name} {job} {stage}: no row for {clock(slot)}")
            allowed |= {int(t // step) * step for t in (since, since + step, until, until + step)}
        problems += [f"{run.name} {r}: no such instant in its schedule" for r in rows if r.slot not in allowed and r.slot < end]
    return problems, expected


def outcomes(run, end):
    """Every end that is not simply well has a reason that the policy or a fault gives."""
    problems, explained = [], Counter()
    for row in run.rows:
        if row.outcome is None:
            problems.append(f"{run.name} {row}: open")
            continue
        if row.ended > end:
            continue
        if row.outcome != "ok" and not row.reasons:
            problems.append(f"{run.name} {row}: no reason")
        is_again = row.attempts > 1 and not (by_source(run, row, None) or replaced_source(run, row))
        if is_again and not run.faults.find("down", row.planned, row.ended, daemon=run.name):
            problems.append(f"{run.name} {row}: nothing explains another attempt")
        for reason in row.reasons:
            why = explain_reason(run, row, reason)
            explained[f"{row.outcome}: {why or 'UNEXPLAINED'}"] += 1
            if why is None:
                problems.append(f"{run.name} {row}: {reason[:300]}")
    return problems, explained


def said(run, end):
    """Every warning and error of the log is explained, as are lines that are none of it."""
    problems, explained = [], Counter()
    for entry in run.log:
        if entry["at"] > end or entry["message"] == "slot ended":
            continue
        why = explain_line(run, entry)
        explained[f"{entry['level']} {entry['message'][:60]}: {why or 'UNEXPLAINED'}"] += 1
        if why is None:
            rest = {k: v for k, v in entry.items() if k not in ("timestamp", "at", "level", "message")}
            problems.append(f"{run.name} {entry['timestamp']} {entry['level']} {entry['message']} {json.dumps(rest)[:300]}")
    problems += [f"{run.name}: the log holds {word[:200]!r}" for word in run.words]
    return problems, explained


# --- what looked from outside -----------------------------------------------------------------------------------------


def answers(run, end):
    """An answer that is not 200 is explained by a daemon that is away, or by what there is not yet."""
    problems, explained = [], Counter()
    first = {}
    for row in run.rows:
        if row.stage == "forecast" and row.outcome in ("ok", "degraded"):
            first[row.job] = min(first.get(row.job, 1e18), row.ended)
    find, own = run.faults.find, {"daemon": run.name}
    absent = lambda at, until, name: find(("removed", "added"), at, until, before=2, after=30, job=name, **own)  # noqa: E731
    is_young = lambda at, until: find("config", at - 180, until, **own)  # noqa: E731
    for entry in run.pages:
        at, until = entry["at"], entry["at"] + entry["took"]
        if at > end:
            continue
        job = re.match(r"/api/v1/\w+/(\w+)", entry["route"])
        name = job.group(1) if job else ""
        if entry["status"] == 0 and run.faults.find(("down", "frozen", "stopped"), at, until, daemon=run.name):
            why = "nobody was there"
        elif entry["status"] == 0 and "timed out" in entry["said"] and load(run, at, until) > LOAD_MAX:
            why = "the machine was busy"
        elif entry["status"] == 503 and "draining" in entry["said"] and find(("down", "stopped"), at, until, **own):
            why = "told to end"
        elif entry["status"] == 503 and "has not turned" in entry["said"] and find("frozen", at, until, **own):
            why = "just woken"
        elif re.search("starting|there is no job", entry["said"]) and find("config", at, until, after=10, **own):
            why = "just started"
        elif entry["status"] == 404 and until < first.get(name, 1e18) + 10:
            why = "before the first run"
        elif entry["status"] == 404 and absent(at, until, name):
            why = "no such job at the time"
        elif entry["status"] == 404 and "not run just to look" in entry["said"] and is_young(at, until):
            why = "a command that no slot has run since the start"
        elif entry["status"] == 404 and run.faults.find(SOURCE, at, until, after=120, source=getattr(PLANS.get(name), "source", "")):
            why = "the source could not be read"
        else:
            why = None
            answer = f"{entry['status']} after {entry['took']:.1f} s, {entry['said'][:160]}"
            problems.append(f"{run.name} {clock(at)} {entry['route']}: {answer}")
        explained[f"{entry['status']} {why or 'UNEXPLAINED'}"] += 1
    return problems, explained


def load(run, began, ended):
    """Processes that wanted a core in that time, for each core."""
    return max((s.get("load", 0) for s in run.samples if began - 60 < s["at"] < ended + 60), default=0)


def commands(run, end):
    """Every command ends well; one that asks about a source which is away says so."""
    problems, slow = [], 0.0
    asked = [e for e in lines(run.folder / f"commands-{run.name}.jsonl") if e["at"] < end]
    for entry in asked:
        slow = max(slow, entry["took"])
        by_data = entry["words"][0] in ("validate", "score", "explain") and entry["code"] in (1, 3, 65, 66, 74, 78)
        away = run.faults.find(SOURCE, entry["at"], entry["at"] + entry["took"], after=5)
        if entry["code"] != 0 and not (by_data and away):
            problems.append(f"{run.name} {clock(entry['at'])} {' '.join(entry['words'])}: {entry['code']}, {entry['said'][:200]}")
    wanted = sum(e["words"][0] == "run" or e["words"][:2] == ["runs", "retry"] for e in asked if e["code"] == 0)
    planned = sum(r.trigger == "manual" for r in run.rows)
    if planned < wanted:
        problems.append(f"{run.name}: {wanted} slots were asked for, {planned} are in the ledger")
    return problems


def read(run):
    return [f"{run.name} {clock(e['at'])}: {e['problem'][:300]}" for e in run.readers]


# --- flat -------------------------------------------------------------------------------------------------------------


def flat(run, began, end):
    """Memory, threads, descriptors and disk: medians of the second and the last quarter."""
    quarter, problems, figures = (end - began) / 4, [], {}
    second = [s for s in run.samples if began + quarter <= s["at"] < began + 2 * quarter]
    last = [s for s in run.samples if began + 3 * quarter <= s["at"] < end]
    if not second or not last:
        return [], {}
    units = {"rss": 1024, "threads": 1, "files": 1, "state": 1 << 20, "out": 1 << 20, "state_files": 1, "out_files": 1}
    # Of `rss` a part is pages of the program itself, which come in as they are used; `anon` is what it has taken.
    units |= {name: unit for name, unit in (("anon", 1024), ("ledger", 1 << 20)) if all(name in s for s in second)}
    slack = {"rss": 2048, "anon": 2048, "threads": 2, "files": 3, "state": 1 << 20, "out": 1 << 20, "state_files": 10, "out_files": 50}
    for name, unit in units.items():
        then, now = (statistics.median(s[name] for s in part) for part in (second, last))
        figures[name] = [round(then / unit, 1), round(now / unit, 1)]
        # The ledger forgets once an hour, so it is steady only after its retention and an hour more.
        if name in slack and now > then * LIMIT and now > then + slack[name]:
            problems.append(f"{run.name}: {name} went from {then / unit:.1f} to {now / unit:.1f}")
    figures["peak_mib"] = round(max(s["peak"] for s in run.samples) / 1024, 1)
    return problems, figures


def lateness(run):
    """Seconds from the instant of a slot to its row, and to its first start, of those that were seen in time."""
    rows = [r for r in run.rows if r.trigger == "schedule" and not r.is_late]
    rows = [r for r in rows if not run.faults.find((*DARK, "config"), r.slot - 1, r.planned, daemon=run.name)]
    figures = {"slots": len(rows)}
    starts = [r.started - r.slot for r in rows if r.started and r.attempts == 1]
    for name, late in (("planned", [r.planned - r.slot for r in rows]), ("started", starts)):
        late.sort()
        for share, word in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (1.0, "max")):
            if late:
                figures[f"{name}_{word}_s"] = round(late[min(len(late) - 1, int(share * len(late)))], 3)
    return figures


def prompt(figures, name):
    """The loop sees a slot when it is due, whatever the work of others."""
    late = figures.get("planned_max_s", 0)
    return [f"{name}: a slot was seen {late} s after its instant, and nothing explains it"] if late > LAG_MAX else []


# --- the end ----------------------------------------------------------------------------------------------------------


def ends(run):
    """Exit codes, and files that nobody needs any more."""
    problems = []
    for entry in run.faults.entries:
        if entry.get("daemon") not in (run.name, "both"):
            continue
        if entry["kind"] == "trouble":
            problems.append(f"{run.name} {clock(entry['began'])}: {entry['what']}")
        wanted = {"SIGKILL": (-9,), "SIGTERM": (0,), "SIGTERM twice": (0,), "long": (-9, 0)}
        if entry["kind"] == "down" and entry["code"] not in wanted[entry["what"]]:
            problems.append(f"{run.name} {clock(entry['began'])}: {entry['what']} ended it with {entry['code']}")
        if entry["kind"] == "stopped" and entry["code"] != 0:
            problems.append(f"{run.name}: the last SIGTERM ended it with {entry['code']}")
    return problems


def left_behind(run):
    problems = []
    base = run.folder / run.name
    for path in base.rglob("*"):
        name = path.name
        if name.startswith(".s4cast") or ".partial" in name or ".tmp" in name or name.endswith(".new"):
            problems.append(f"{run.name}: left behind {path.relative_to(base)}")
    for place in (base / "tmp", base / "state/tmp"):
        if place.is_dir():
            problems += [f"{run.name}: left behind {path.relative_to(base)}" for path in place.iterdir()]
    for commit in base.glob("out/job=*/issued_date=*/run_id=*"):
        names = {entry.name for entry in commit.iterdir()}
        if not {"_commit.json", "part-0.parquet"} <= names:
            problems.append(f"{run.name}: {commit.relative_to(base)} holds {sorted(names)}")
    return problems


def clock(at):
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


# --- all of it --------------------------------------------------------------------------------------------------------


def check(folder):
    """The report on a soak that is over, or on what of one that goes on can be judged by now."""
    folder, began_check = Path(folder), time.time()
    faults = Faults(folder)
    configs = [e for e in faults.entries if e["kind"] == "config"]
    began = min(e["began"] for e in configs)
    stops = [e for e in faults.entries if e["kind"] == "stopped"]
    report, problems, is_over = {"daemons": {}}, [], bool(stops)
    counts = json.loads((folder / "counts.json").read_text()) if (folder / "counts.json").exists() else {}
    for name in ("calm", "battered"):
        run = Run(name, folder, faults)
        own = [e["began"] for e in stops if e["daemon"] == name]
        last = max((r.ended or 0 for r in run.rows), default=time.time())
        # Of what is still going on, only what is some minutes old can be judged: open faults are not in the journal yet.
        end = own[0] if own else min(last, time.time()) - (0 if is_over else 300)
        run.rows = [r for r in run.rows if is_over or r.planned < end]
        lost, expected = complete(run, end if own else end - 60)
        unexplained, why = outcomes(run, end)
        loud, told = said(run, end)
        asked, answered = answers(run, end)
        grown, figures = flat(run, began, end)
        late = lateness(run)
        problems += prompt(late, name)
        problems += run.ledger_problems + lost + unexplained + loud + asked + commands(run, end) + read(run) + ends(run)
        # A soak of some minutes is never steady.
        problems += grown if is_over and name == "calm" and end - began > 3000 else []
        problems += left_behind(run) if own else []
        if name == "calm" and len({s["pid"] for s in run.samples}) > 1:
            problems.append("calm: it is another process than before")
        seconds = counts.setdefault(name, {"pages": 0, "reads": 0}).pop("page_seconds", [])
        figures["load_max"] = round(max((s.get("load", 0) for s in run.samples), default=0), 1)
        report["daemons"][name] = {
            "slots": len(run.rows),
            "slots_expected": expected,
            "outcomes": dict(Counter(r.outcome or "open" for r in run.rows)),
            "explained": dict(why.most_common()),
            "log": dict(told.most_common()),
            "answers": dict(answered.most_common()),
            "lateness": late,
            "flat": figures,
            "page_p50_s": round(statistics.median(seconds), 4) if seconds else None,
            "page_max_s": round(max(seconds), 3) if seconds else None,
            **counts[name],
        }
    report["minutes"] = round((max(e["ended"] for e in faults.entries) - began) / 60, 1)
    report["faults"] = dict(Counter(e["kind"] if e["kind"] != "down" else e["what"] for e in faults.entries).most_common())
    report["check_s"] = round(time.time() - began_check, 1)
    report["problems"] = problems
    return report


def line(report):
    parts = []
    for name, one in report["daemons"].items():
        counts = " ".join(f"{count} {outcome}" for outcome, count in sorted(one["outcomes"].items()))
        memory = one["flat"].get("rss", [0, 0])
        parts.append(f"{name}: {counts}, {memory[0]:.0f} then {memory[1]:.0f} MiB, {one['pages']} answers, {one['reads']} reads")
    return "; ".join(parts) + f"; {len(report['problems'])} problems"


def text(report):
    out = [f"{report['minutes']} minutes; faults: " + ", ".join(f"{n} {kind}" for kind, n in report["faults"].items())]
    for name, one in report["daemons"].items():
        out.append(f"{name}: {one['slots']} slots of {one['slots_expected']} instants and what was asked for beside them")
        out.append("  outcomes   " + ", ".join(f"{n} {outcome}" for outcome, n in one["outcomes"].items()))
        out.append("  lateness   " + ", ".join(f"{key} {value}" for key, value in one["lateness"].items()))
        out.append("  flat       " + ", ".join(f"{key} {value}" for key, value in one["flat"].items()))
        out.append(f"  read       {one['pages']} answers (p50 {one['page_p50_s']} s, max {one['page_max_s']} s), {one['reads']} files")
        out += [f"  {n:>6} x {why}" for part in ("explained", "log", "answers") for why, n in one[part].items()]
    out.append(f"{len(report['problems'])} problems")
    return "\n".join(out + ["  " + problem for problem in report["problems"]])

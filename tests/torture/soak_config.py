"""The jobs of the soak: ten of them, on five kinds of sources, with every policy."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Schedule:
    rule: str  # "every = ..." or "cron = ..."
    step: int  # minutes from one slot to the next
    missed: str = "all"
    overlap: str = "queue"
    attempts: int = 5
    max_lateness: int | None = None  # minutes

    def toml(self):
        late = "" if self.max_lateness is None else f', max_lateness = "{self.max_lateness}m"'
        return (
            f'{{ {self.rule}, missed = "{self.missed}", overlap = "{self.overlap}", '
            f'attempts = {self.attempts}, backoff = "5s"{late} }}'
        )


def every(minutes, **policy):
    return Schedule(f'every = "{minutes}m"', minutes, **policy)


def cron(minutes, **policy):
    return Schedule(f'cron = "*/{minutes} * * * *"' if minutes > 1 else 'cron = "* * * * *"', minutes, **policy)


NEVER = Schedule('cron = "0 0 1 1 *"', 366 * 24 * 60)


@dataclass(frozen=True)
class Job:
    name: str
    source: str  # first part of its path below the data folder
    model: str
    forecast: Schedule
    train: Schedule | None = None
    score: Schedule | None = None
    horizon: int = 10
    more: str = ""
    sums: int = 0  # series that are sums of others

    def stages(self):
        named = {"train": self.train, "forecast": self.forecast, "score": self.score}
        return {stage: schedule for stage, schedule in named.items() if schedule}


RIDGE = 'kind = "ridge"'
ANOMALY = "anomaly = { level = 95, least_share = 0.02 }\n"
FALLBACKS = {"shadow": 'promotion = "shadow"\nshadow_runs = 3\n', "new": "on_new_data = true\n"}
GIVES_WAY = {"missed": "once", "overlap": "forbid"}
IN_TIME = {"missed": "skip", "overlap": "forbid", "attempts": 2}
NEWEST = {"missed": "all", "overlap": "replace"}

JOBS = [
    Job("grow", "grow.csv", RIDGE, cron(1), every(15), every(5), more=ANOMALY),
    Job("naive", "grow.csv", 'kind = "seasonal_naive"\nseason_length = 60', every(1, **GIVES_WAY), None, every(5, **GIVES_WAY)),
    Job("smooth", "csv", 'kind = "ets"\nseason_length = 15', cron(1, **IN_TIME), None, cron(3, **IN_TIME), more=ANOMALY),
    Job("folder", "parquet", RIDGE, cron(1), every(12), every(4), more=FALLBACKS["new"] + ANOMALY),
    Job("wide", "wide.csv", RIDGE, cron(1, **NEWEST), every(10, **NEWEST), every(5, **NEWEST)),
    Job("fed", "exec.csv", RIDGE, cron(1, attempts=2), every(20), every(6)),
    Job("counts", "counts.csv", 'kind = "counts"\ninteger = true\nnon_negative = true', every(1), every(20), every(5)),
    Job("auto", "csv", 'kind = "auto"\npreset = "fast"\nbudget = "15s"', cron(1, max_lateness=5), every(20, **GIVES_WAY), every(7)),
    Job("shadow", "csv", RIDGE, every(1, **GIVES_WAY), every(10), every(2), more=FALLBACKS["shadow"]),
    Job("sums", "sums.csv", RIDGE, cron(1), every(15), every(5), sums=3),
]
EXTRA = Job("extra", "parquet", RIDGE, every(1), every(10), None)

SOURCES = {
    "grow.csv": 'inputs = "{data}/grow.csv"',
    "csv": 'inputs = "{data}/csv/*.csv"',
    "parquet": 'inputs = "{data}/parquet/*.parquet"',
    "wide.csv": 'inputs = "{data}/wide.csv"',
    "exec.csv": 'exec = ["sh", "{data}/feed.sh"]\nexec_timeout = "8s"\nid = ["unique_id"]\ntime = "ds"\ntarget = "y"',
    "counts.csv": 'inputs = "{data}/counts.csv"',
    "sums.csv": 'inputs = "{data}/sums.csv"\nid = ["region", "shop"]\nhierarchy = ["total", "region"]',
}

HEAD = """schema_version = 1
# {note}
[daemon]
state = "state"
workers = 2
drain_limit = "30s"
reload = "30s"
ledger_retention = "{ledger}m"
[http]
listen = "127.0.0.1:{port}"
[sink.out]
path = "out"
retention = "{runs}m"
grace = "1m"
"""


@dataclass
class Settings:
    """What a daemon's config says at a time."""

    data: str
    port: int
    ledger_minutes: int
    run_minutes: int
    jobs: dict = field(default_factory=lambda: {job.name: job for job in JOBS})

    def change(self, name, **changes):
        self.jobs[name] = replace(self.jobs[name], **changes)

    def fall_silent(self):
        """No stage of any job has a slot to come."""
        for name, job in self.jobs.items():
            self.change(name, **{stage: NEVER for stage in job.stages()})

    def toml(self, note=""):
        parts = [HEAD.format(note=note, ledger=self.ledger_minutes, port=self.port, runs=self.run_minutes)]
        for name, inputs in SOURCES.items():
            parts.append(f'[source.{name.replace(".", "_")}]\nfreq = "1m"\n{inputs.format(data=self.data)}\n')
        for job in self.jobs.values():
            parts.append(f"[model.{job.name}]\n{job.model}\nhorizon = {job.horizon}\n")
            # Few versions, so that a job that trains every twenty minutes has all of them before the second quarter.
            lines = [f'[job.{job.name}]\nsource = "{job.source.replace(".", "_")}"\nmodel = "{job.name}"\nsink = "out"\nkeep_versions = 1']
            lines += [f"{stage} = {schedule.toml()}" for stage, schedule in job.stages().items()]
            parts.append("\n".join(lines) + "\n" + job.more)
        return "\n".join(parts)

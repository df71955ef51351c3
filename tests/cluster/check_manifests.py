"""What is shipped for Kubernetes and Slurm (configs/deploy): valid, consistent, and run here process by process."""

import glob
import json
import os
import re
import subprocess

import common
import kubernetes_validate
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from common import PROGRAM, ROOT, WORK, same

FOLDER = os.path.join(ROOT, "configs", "deploy")
KUBERNETES = "1.33"


def objects(*names):
    """All objects of some files, or of all."""
    paths = [os.path.join(FOLDER, "kubernetes", name) for name in names] or sorted(glob.glob(os.path.join(FOLDER, "kubernetes", "*.yaml")))
    assert paths
    for path in paths:
        with open(path) as file:
            yield from (one for one in yaml.safe_load_all(file) if one)


def only(kind, *names):
    (one,) = [one for one in objects(*names) if one["kind"] == kind]
    return one


def pods():
    """The pod templates, by kind of what makes them."""
    job, cron, stateful = only("Job", "job.yaml"), only("CronJob", "cronjob.yaml"), only("StatefulSet", "daemons.yaml")
    return {"Job": job["spec"]["template"], "CronJob": cron["spec"]["jobTemplate"]["spec"]["template"], "StatefulSet": stateful["spec"]["template"]}


def environment(pod):
    (container,) = pod["spec"]["containers"]
    return {one["name"]: one for one in container["env"]}


def valid():
    """every manifest is what Kubernetes takes, without a field that it does not know"""
    for one in objects():
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def config():
    """the config map's daemon.toml validates"""
    text, pod = only("ConfigMap", "config.yaml")["data"]["daemon.toml"], pods()["StatefulSet"]
    path = os.path.join(WORK, "daemon.toml")
    with open(path, "w") as file:
        file.write(text)
    replicas = only("StatefulSet", "daemons.yaml")["spec"]["replicas"]
    shard = environment(pod)["S4CAST_SHARD"]["value"].replace("$(POD_INDEX)", str(replicas - 1))
    variables = {"S4CAST_SHARD": shard, "S4CAST_TOKEN": "sesame"}
    done = subprocess.run([PROGRAM, "validate", "--no-environment", "-c", path], env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    count = shard.split("/")[1]
    assert int(count) == replicas, f"{replicas} replicas and shards of {count}"
    (drain,) = re.findall(r'drain_limit = "(\d+)s"', text)
    assert pod["spec"]["terminationGracePeriodSeconds"] >= int(drain) + 20
    (port,) = pod["spec"]["containers"][0]["ports"]
    assert f'listen = "0.0.0.0:{port["containerPort"]}"' in text


def numbers():
    """completions, parallelism and shards are one number"""
    job, cron = only("Job", "job.yaml")["spec"], only("CronJob", "cronjob.yaml")["spec"]["jobTemplate"]["spec"]
    assert job == cron, "job.yaml and cronjob.yaml differ"
    count = int(environment(job["template"])["S4CAST_SHARD_COUNT"]["value"])
    assert job["completions"] == job["parallelism"] == count
    assert not set(job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"]) - exit_codes()


def exit_codes():
    text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    return {int(code) for code in re.findall(r"^ +(\d+)  ", text[text.index("Exit codes:"):], re.MULTILINE)}


def names():
    """what pods refer to is there, and probes ask for routes that there are"""
    keys = {"configMapKeyRef": only("ConfigMap", "config.yaml")["data"], "secretKeyRef": only("Secret", "secret.yaml")["stringData"]}
    for pod in pods().values():
        for one in environment(pod).values():
            for kind, there in keys.items():
                reference = one.get("valueFrom", {}).get(kind)
                assert not reference or (reference["name"] == "s4cast" and reference["key"] in there), one
        (container,) = pod["spec"]["containers"]
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        assert mounts - volumes <= {"state"} and volumes <= mounts
    with open(os.path.join(ROOT, "src", "serve", "openapi.json")) as file:
        routes = json.load(file)["paths"]
    (daemon,) = pods()["StatefulSet"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert daemon[probe]["httpGet"]["path"] in routes
    assert all(not value for value in only("Secret", "secret.yaml")["stringData"].values()), "a template holds no secrets"


def confined():
    """no pod runs as root, writes to its image, keeps a capability or takes a token that it does not need"""
    for kind, pod in pods().items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", kind
        assert spec["automountServiceAccountToken"] is False, kind
        (container,) = spec["containers"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], kind
        assert security["capabilities"] == {"drop": ["ALL"]}, kind
        assert container["resources"]["limits"]["memory"] and ":latest" not in container["image"], kind


def committed(folder):
    """The rows of a run, by its commit."""
    with open(os.path.join(folder, "_commit.json")) as file:
        commit = json.load(file)
    return pa.concat_tables(pq.read_table(os.path.join(folder, name)) for name in commit["files"])


def prepared():
    """A folder with what the jobs read, and what one machine makes of it."""
    place = os.path.join(WORK, "shared")
    for name in ("load", "models", "runs"):
        os.makedirs(os.path.join(place, name), exist_ok=True)
    for name, data in (("models/load.safetensors", "daily.safetensors"), ("load/all.parquet", "small.parquet")):
        path = os.path.join(place, name)
        os.path.exists(path) or os.link(os.path.join(WORK, data), path)
    return place, common.forecast(os.path.join(WORK, "small.parquet"), "shards-cli", "--load-model", os.path.join(WORK, "daily.safetensors"))[0]


def job_runs():
    """the job's pods, one after the other, one of them twice, make the run of one machine"""
    place, wanted = prepared()
    job = only("Job", "job.yaml")["spec"]
    (container,) = job["template"]["spec"]["containers"]
    words = [word.replace("s3://example", f"file://{place}").replace("$(JOB_NAME)", "s4cast-x7k2p") for word in container["args"]]
    for index in [5, *range(job["completions"])]:
        variables = {"JOB_COMPLETION_INDEX": str(index), "S4CAST_SHARD_COUNT": environment(job["template"])["S4CAST_SHARD_COUNT"]["value"]}
        done = subprocess.run([PROGRAM, *words], env={**os.environ, **variables}, capture_output=True, text=True)
        assert done.returncode == 0, f"{index}: {done.returncode} {done.stdout} {done.stderr}"
        is_whole = os.path.exists(os.path.join(place, "runs/s4cast-x7k2p/_commit.json"))
        assert is_whole == (index == job["completions"] - 1), f"after {index}"
    same(committed(os.path.join(place, "runs/s4cast-x7k2p")), wanted, but=("created_at", "run_id", "issued_at"))


def array_runs():
    """so do the tasks of the Slurm array"""
    place, wanted = prepared()
    with open(os.path.join(FOLDER, "slurm", "forecast.sbatch")) as file:
        text = file.read()
    (last,) = re.findall(r"^#SBATCH --array=0-(\d+)$", text, re.MULTILINE)
    # In place of Slurm: a command that starts the program here.
    script = "srun() { shift; " + PROGRAM + ' "$@"; }\n' + text.replace("/shared", place)
    for index in range(int(last) + 1):
        variables = {"SLURM_ARRAY_JOB_ID": "4711", "SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_TASK_COUNT": str(int(last) + 1), "SLURM_CPUS_PER_TASK": "2"}
        done = subprocess.run(["bash", "-c", script], env={**os.environ, **variables}, capture_output=True, text=True)
        assert done.returncode == 0, f"{index}: {done.returncode} {done.stdout} {done.stderr}"
    same(committed(os.path.join(place, "runs/4711")), wanted, but=("created_at", "run_id", "issued_at"))


if __name__ == "__main__":
    common.run([valid, config, numbers, names, confined, job_runs, array_runs])

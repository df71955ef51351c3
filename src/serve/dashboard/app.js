// Every job with its newest run and what comes next.
const node = (name, ...children) => {
  const made = document.createElement(name);
  made.append(...children);
  return made;
};
const row = (name, cells) => node("tr", ...cells.map((cell) => node(name, cell ?? "–")));
const nextOf = (job) => job.stages.map((stage) => stage.next).filter(Boolean).sort()[0];

const show = (overview) => {
  const head = row("th", ["job", "model", "series", "issued", "next"]);
  const jobs = overview.jobs.map((job) =>
    row("td", [job.job, job.model, job.series === null ? null : String(job.series), job.issued_at, nextOf(job)]));
  document.getElementById("app").replaceChildren(
    node("h1", "s4cast"), node("table", node("thead", head), node("tbody", ...jobs)));
};

const load = async () => {
  try {
    const answer = await fetch("api/v1/overview");
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail);
    show(body);
  } catch (error) {
    document.getElementById("app").replaceChildren(node("p", `The daemon does not answer: ${error.message}`));
  }
};
load();
setInterval(load, 10_000);

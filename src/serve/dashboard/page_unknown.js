// An address that leads nowhere.

import { h, put } from "./dom.js";

/// Says so, and offers the way back.
export function show(main) {
  document.title = "No such page · s4cast";
  put(
    main,
    h(
      "section",
      { class: "card empty" },
      h("h1", { tabindex: -1 }, "There is no such page"),
      h("p", { class: "break" }, `Nothing is at ${location.hash}.`),
      h("a", { class: "button", href: "#/" }, "To the overview"),
    ),
  );
}

/** The virtual patients that the endpoint offers. */

import { make } from "./element.js";

/** Fill every list of samples on the page. */
export function showSamples(samples, open) {
  for (const list of document.querySelectorAll("ul.samples")) {
    list.replaceChildren(...samples.map((sample) => {
      const button = make("button", "sample");
      button.type = "button";
      button.dataset.sample = sample.id;
      button.append(make("strong", "", sample.title), make("span", "", sample.note));
      button.addEventListener("click", () => open(sample));
      const item = make("li");
      item.append(button);
      return item;
    }));
  }
}

// A question with a button for each choice. What is said of a choice stands in the page so that no eye meets it by accident.
import { add, button, start } from "./kit.js";

/** What is said of the choice, out of the data. */
export function model({ verdicts }, { letter }) {
  return new TextDecoder().decode(Uint8Array.from(atob(verdicts[letter]), (byte) => byte.charCodeAt(0)));
}

export function draw(host, data) {
  const asked = add(host, "div", {});
  add(asked, "b", {}, "Quiz. ");
  asked.append(data.question);
  const choices = add(host, "div", { role: "group", "aria-label": "choices" });
  const told = add(host, "p", { role: "status", style: "margin:.3em 0;max-width:48em;min-height:1.4em" });
  const buttons = Object.entries(data.choices).map(([letter, text]) => {
    const made = button(choices, `(${letter}) ${text}`, () => {
      for (const each of buttons) each.setAttribute("aria-pressed", each === made);
      told.textContent = model(data, { letter });
    });
    made.setAttribute("aria-pressed", "false");
    made.style.cssText += ";display:block;max-width:48em;text-align:left;font:inherit;padding:.3em .7em;cursor:pointer";
    return made;
  });
}


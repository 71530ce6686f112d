/** The model card, the help and the token's prompt. */

import { renderCard } from "./card.js";
import { byId } from "./element.js";

/** Show the keyboard's and mouse's meaning. */
export const showHelp = () => byId("help-dialog").showModal();

/** Show the model's card. */
export function showCard({ id, card }) {
  byId("card-title").textContent = id;
  byId("card").replaceChildren(renderCard(card));
  byId("card-dialog").showModal();
}

/**
 * Ask for the token.
 * @param {string} words what was wrong with the one before
 * @returns {Promise<?string>} null if the person cancels
 */
export function askToken(words) {
  const dialog = byId("token-dialog");
  byId("token-refused").textContent = words;
  byId("token-refused").hidden = !words;
  byId("token").value = "";
  dialog.returnValue = "";
  byId("token-cancel").onclick = () => dialog.close();
  dialog.showModal();
  byId("token").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "ok" ? byId("token").value.trim() : null);
    }, { once: true });
  });
}

/** Requests to the endpoint: token, errors in words, patience while it is busy. */

import { readPgm } from "./pgm.js";

const TOKEN = "mgray.token";
const TRIES = 4;

/** An error as the endpoint tells it (RFC 9457). */
export class Problem extends Error {
  constructor({ status = 0, code = "offline", title = "", detail = "" }) {
    super(title);
    Object.assign(this, { status, code, title, detail: detail === title ? "" : detail });
  }
}

export class Api {
  /** @param {(refused: boolean) => Promise<?string>} askToken gives null if the person cancels */
  constructor(askToken) {
    this.askToken = askToken;
    this.asking = null;
  }

  /** One image's grey levels; `side` is the longest side, pixels. */
  async pixels(file, side) {
    const answer = await this.request(`v1/pixels?side=${side}`, dicom(file));
    return readPgm(await answer.arrayBuffer());
  }

  /** Detections on the images of an exam. */
  async detect(files) {
    return (await this.request("v1/detect?contributions=true", form(files))).json();
  }

  /** The answer as a DICOM structured report, at an operating point (false positives per image). */
  async report(files, fppi) {
    const headers = { Accept: "application/dicom" };
    return (await this.request(`v1/detect?fppi=${fppi}`, { ...form(files), headers })).blob();
  }

  /** The model and its card. */
  async model() {
    return (await this.request("v1/model")).json();
  }

  /** Virtual patients to try. */
  async samples() {
    return (await this.request("v1/samples")).json();
  }

  /** One of them: its images as files, with the lesions that were planted. */
  async sample(id) {
    const { images } = await (await this.request(`v1/samples/${id}`)).json();
    return Promise.all(
      images.map(async ({ href, lesions }) => ({
        file: new File([await (await this.request(href)).blob()], href.split("/").pop()),
        truth: lesions,
      })),
    );
  }

  /** Ask; wait and ask again while the endpoint is busy, ask for a token where it wants one. */
  async request(path, options = {}) {
    for (let tried = 1; ; tried += 1) {
      const token = sessionStorage.getItem(TOKEN);
      const answer = await send(path, options, token);
      if (answer.ok) return answer;
      if (answer.status === 401) {
        await this.renewToken(token);
      } else if (answer.status === 503 && tried < TRIES) {
        await seconds(Number(answer.headers.get("Retry-After") ?? 1) * tried);
      } else {
        throw await problemOf(answer);
      }
    }
  }

  async renewToken(refused) {
    if (sessionStorage.getItem(TOKEN) !== refused) return; // another request asked meanwhile
    this.asking ??= this.askToken(refused !== null).finally(() => { this.asking = null; });
    const token = await this.asking;
    if (!token) throw new Problem({ status: 401, code: "unauthorized", title: "No token was given" });
    sessionStorage.setItem(TOKEN, token);
  }
}

async function send(path, options, token) {
  const headers = new Headers(options.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(path, { ...options, headers });
  } catch {
    throw new Problem({ title: "The endpoint does not answer", detail: "Is it still running?" });
  }
}

async function problemOf(answer) {
  const told = await answer.json().catch(() => ({}));
  return new Problem({ code: "unknown", title: `Status ${answer.status}`, ...told, status: answer.status });
}

const dicom = (file) => ({
  method: "POST", body: file, headers: { "Content-Type": "application/dicom" },
});

function form(files) {
  const body = new FormData();
  files.forEach((file, index) => body.append("image", file, `${index + 1}.dcm`));
  return { method: "POST", body };
}

const seconds = (count) => new Promise((resolve) => { setTimeout(resolve, count * 1000); });

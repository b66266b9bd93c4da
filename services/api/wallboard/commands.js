// What a person does to an alert: the request, and what became of it. The newest truth comes back
// on the socket; this only says « sending » meanwhile, and why it failed.

const ANSWER_WITHIN_MS = 10_000;

/** Commands under way by alert id: {isSending, action, note, version}. `version`: what the note speaks of. */
export class Commands {
  #post;
  #onAlert;
  #onChange;
  #held = new Map();

  /** `post(path, body)` resolves to {status, body}; it rejects when the server cannot be reached. */
  constructor({ post, onAlert, onChange }) {
    this.#post = post;
    this.#onAlert = onAlert;
    this.#onChange = onChange;
  }

  get(alertId) {
    return this.#held.get(alertId);
  }

  /** An alert was heard of anew: what we waited for has come. A note on this very version stays. */
  settle({ alert_id: alertId, version }) {
    if (version > (this.#held.get(alertId)?.version ?? 0)) this.#held.delete(alertId);
  }

  /** « Je m'en occupe ». */
  acknowledge(alertId, by, texts) {
    return this.#act("acknowledge", alertId, { by }, texts);
  }

  /** « Rappel »: it comes back at `untilMs`. */
  snooze(alertId, by, untilMs, texts) {
    return this.#act("snooze", alertId, { by, until_ms: untilMs }, texts);
  }

  /** « Clore ». */
  resolve(alertId, by, texts) {
    return this.#act("resolve", alertId, { by }, texts);
  }

  /** A second press while the first is under way does nothing. */
  async #act(action, alertId, body, texts) {
    if (this.#held.get(alertId)?.isSending) return;
    this.#set(alertId, { isSending: true, action, note: "" });
    try {
      const path = `api/v1/alerts/${encodeURIComponent(alertId)}/${action}`;
      this.#take(alertId, await this.#post(path, body), { action, by: body.by }, texts);
    } catch {
      this.#set(alertId, { isSending: false, note: texts.notSaved });
    }
  }

  #take(alertId, { status, body }, { action, by }, texts) {
    const alert = body?.alert ?? body;
    const isAlert = alert?.alert_id === alertId;
    if (status === 200 && isAlert) {
      this.#held.delete(alertId);
      this.#onAlert(alert);
    } else if (status === 202) {
      setTimeout(() => this.#giveUp(alertId, texts), ANSWER_WITHIN_MS);
    } else if (status === 409 && isAlert) {
      const other = action === "acknowledge" && alert.acknowledged_by;
      this.#onAlert(alert);
      const note = other && other !== by ? texts.notSavedTaken(other) : "";
      this.#set(alertId, { isSending: false, note, version: alert.version });
    } else {
      const isForbidden = status === 401 || status === 403;
      this.#set(alertId, { isSending: false, note: isForbidden ? texts.notSavedReadOnly : texts.notSaved });
    }
  }

  /** The server said « later » and nothing came. */
  #giveUp(alertId, texts) {
    if (this.#held.get(alertId)?.isSending) this.#set(alertId, { isSending: false, note: texts.notSaved });
  }

  #set(alertId, command) {
    this.#held.set(alertId, command);
    this.#onChange();
  }
}

/** Posts JSON beside the page. */
export async function postJson(path, value) {
  const answer = await fetch(new URL(path, document.baseURI), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
    credentials: "same-origin",
  });
  const body = await answer.json().catch(() => null);
  return { status: answer.status, body };
}

// The server: reads, answers one at a time, and the events of other pages.

const RETRY_MS = [500, 1000, 2000, 4000];

/** A request that the server refused. `doubt`, `hint` and `position` as in its answer. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `The server answered with ${status}.`);
    Object.assign(this, { status, ...body });
  }
}

/**
 * `handlers`: `doubt(doubt)` returns what to accept or null, `conflict(error)` and `refused(error)` tell the user,
 * `connection(isLost)`, `saved(result, answer)`, `changed(position)`, `bye()`.
 */
export class Api {
  #handlers;
  #queue = Promise.resolve();
  #waiting = 0;
  #events = null;
  /** The position in the journal of what the page shows; answers carry it. */
  position = null;
  /** True once the server has ended. */
  ended = false;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** The number of answers not confirmed yet. */
  get waiting() {
    return this.#waiting;
  }

  /** Read what the page is going to show; its position becomes the page's. */
  async get(path) {
    const data = await this.peek(path);
    if (data.position) this.position = data.position;
    return data;
  }

  /** Read something without taking over its position. */
  peek(path) {
    return this.#request(path);
  }

  /** Post something that is not an answer. */
  async post(path, body) {
    const data = await this.#request(path, body);
    if (data?.position) this.position = data.position;
    return data;
  }

  /**
   * Record an answer. Return the server's answer once the line is on disk, or null if it was not recorded; the user
   * has then been told why. `accepted`: what the user accepted, such as another spelling of the name. Answers are sent
   * one at a time, in order.
   */
  answer(answer) {
    return this.#enqueue(answer, async () => {
      let accept = {};
      for (;;) {
        const body = { position: this.position, answer };
        if (Object.keys(accept).length) body.accept = accept;
        try {
          return { ...(await this.#request("api/answers", body)), accepted: accept };
        } catch (error) {
          if (!error.doubt) throw error;
          const accepted = await this.#handlers.doubt(error.doubt);
          if (!accepted) return null;
          accept = { ...accept, ...accepted };
        }
      }
    });
  }

  /** Take back the last answer (or that of an event), or give the answer taken back last once more. */
  undo({ redo = false, event = null } = {}) {
    return this.#enqueue(null, () => {
      const body = { position: this.position, redo };
      if (event) body.event = event;
      return this.#request("api/undo", body);
    });
  }

  /** Listen to the changes of other pages and of commands. */
  listen() {
    this.#events = new EventSource("api/events");
    this.#events.addEventListener("changed", (event) => {
      const { position } = JSON.parse(event.data);
      // The position of an answer of this page is known only after its reply.
      this.#queue.then(() => {
        if (position !== this.position) this.#handlers.changed(position);
      });
    });
    this.#events.addEventListener("bye", () => this.end());
    this.#events.addEventListener("open", () => this.#handlers.connection(false));
    this.#events.addEventListener("error", () => {
      if (!this.ended) this.#handlers.connection(true);
    });
  }

  /** End the connection for good. */
  end() {
    this.ended = true;
    this.#events?.close();
    this.#handlers.bye();
  }

  #enqueue(answer, task) {
    this.#waiting += 1;
    const result = this.#queue.then(async () => {
      try {
        const saved = await task();
        if (saved) {
          this.position = saved.position;
          this.#handlers.saved(saved, answer);
        }
        return saved;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        await (error.status === 409 ? this.#handlers.conflict(error) : this.#handlers.refused(error));
        return null;
      } finally {
        this.#waiting -= 1;
      }
    });
    this.#queue = result.catch(() => null);
    return result;
  }

  // A lost answer can be sent again: if it was recorded, its position is out of date.
  async #request(path, body) {
    for (let attempt = 0; ; attempt += 1) {
      let response;
      try {
        const options = body === undefined ? {} : {
          method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
        };
        response = await fetch(path, { cache: "no-store", ...options });
        if (response.status === 204) return null;
        const data = await response.json();
        if (attempt) this.#handlers.connection(false);
        if (response.ok) return data;
        throw new Refused(response.status, data);
      } catch (error) {
        if (error instanceof Refused) throw error;
        if (response && !response.ok) throw new Refused(response.status, {});
        if (this.ended) throw new Refused(0, { error: "faceclust has ended." });
        this.#handlers.connection(true);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]));
      }
    }
  }
}

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
  // What the reader sees when they answer. Answers that wait keep theirs: after a change by somebody else they are
  // out of date, even if the screen has been loaded again meanwhile.
  #shown = { position: null };
  #own = new Set(); // the positions after answers of this page
  #told = null; // the last position that `handlers.changed` got
  /** True once the server has ended. */
  ended = false;

  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** The position in the journal of what the page shows; answers carry it. */
  get position() {
    return this.#shown.position;
  }

  /** The number of answers not confirmed yet. */
  get waiting() {
    return this.#waiting;
  }

  /** Read what the page is going to show; its position becomes the page's. */
  async get(path) {
    return this.post(path, undefined);
  }

  /** Read something without taking over its position. */
  peek(path, body = undefined) {
    return this.#request(path, body);
  }

  /** Post something that is not an answer, and show what comes back; its position becomes the page's. */
  async post(path, body) {
    const asked = this.position;
    const data = await this.#request(path, body);
    // Answers of this page may have been recorded in between: their position is the newer one.
    const isOlder = this.position !== asked && this.#own.has(data.position);
    if (data.position !== asked && !isOlder) this.#shown = { position: data.position };
    return data;
  }

  /** End the server, after the answers that wait. */
  async done() {
    while (this.#waiting) await this.#queue;
    await this.#request("api/done", {});
    this.end();
  }

  /**
   * Record an answer. Return the server's answer once the line is on disk, or null if it was not recorded; the user
   * has then been told why. False stands for a doubt that the user gave up. `accepted`: what the user accepted, such as another spelling of the name. Answers are sent
   * one at a time, in order.
   */
  answer(answer) {
    return this.#enqueue(answer, async (shown) => {
      let accept = {};
      for (;;) {
        const body = { position: shown.position, answer };
        if (Object.keys(accept).length) body.accept = accept;
        try {
          return { ...(await this.#request("api/answers", body)), accepted: accept };
        } catch (error) {
          if (!error.doubt) throw error;
          const accepted = await this.#handlers.doubt(error.doubt);
          if (!accepted) return false;
          accept = { ...accept, ...accepted };
        }
      }
    });
  }

  /** Take back the last answer (or that of an event), or give the answer taken back last once more. */
  undo({ redo = false, event = null } = {}) {
    return this.#enqueue(null, (shown) => {
      const body = { position: shown.position, redo };
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
        if (this.#own.has(position) || position === (this.#told ?? this.position)) return;
        this.#told = position;
        this.#handlers.changed(position);
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
    const shown = this.#shown;
    const result = this.#queue.then(async () => {
      try {
        const saved = await task(shown);
        if (saved) {
          shown.position = saved.position;
          this.#own.add(saved.position);
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

  // An answer whose reply was lost is sent again: if it was recorded, its position is out of date, and the refusal
  // has `isRepeated`.
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
        throw new Refused(response.status, { ...data, isRepeated: attempt > 0 });
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

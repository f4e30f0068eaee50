/**
 * The resources that a legacy session is subscribed to, counted: the first listen of a resource subscribes, the last one
 * that ends unsubscribes. Steps of one resource never overtake each other.
 */
import { isJsonObject } from "../../kernel/json.ts";
import { MAX_SUBSCRIBING_AT_ONCE, MAX_SUBSCRIPTIONS_PER_SESSION, SUBSCRIBE_TIMEOUT_MS } from "./bounds.ts";
import type { LegacySession } from "./session.ts";

interface Subscription {
  count: number;
  /** Whether the server agreed. */
  state: Promise<boolean>;
}

export class Subscriptions {
  readonly #session: LegacySession;
  readonly #byUri = new Map<string, Subscription>();

  constructor(session: LegacySession) {
    this.#session = session;
  }

  /** Subscribes and gives the resources that the server agreed to; each of them is to be removed once. */
  async add(uris: ReadonlySet<string>): Promise<readonly string[]> {
    const { resources } = this.#session.facts.capabilities;
    if (!isJsonObject(resources) || resources["subscribe"] !== true) return [];
    const rest = [...uris];
    const agreed: string[] = [];
    const deadline = performance.now() + SUBSCRIBE_TIMEOUT_MS;
    const work = async (): Promise<void> => {
      for (let uri = rest.shift(); uri !== undefined; uri = rest.shift()) {
        if (performance.now() < deadline && (await this.#addOne(uri))) agreed.push(uri);
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_SUBSCRIBING_AT_ONCE, rest.length) }, work));
    return agreed;
  }

  async #addOne(uri: string): Promise<boolean> {
    let one = this.#byUri.get(uri);
    if (!one) {
      if (this.#byUri.size >= MAX_SUBSCRIPTIONS_PER_SESSION) return false;
      one = { count: 0, state: Promise.resolve(false) };
      this.#byUri.set(uri, one);
    }
    if (one.count++ === 0) one.state = one.state.then(() => this.#ask("resources/subscribe", uri));
    if (await one.state) return true;
    this.#leave(uri, one, false);
    return false;
  }

  remove(uris: readonly string[]): void {
    for (const uri of uris) {
      const one = this.#byUri.get(uri);
      if (one) this.#leave(uri, one, true);
    }
  }

  #leave(uri: string, one: Subscription, wasAgreed: boolean): void {
    if (--one.count > 0) return;
    one.state = one.state.then(async () => {
      if (one.count > 0) return false;
      if (wasAgreed && !this.#session.isEnded) await this.#ask("resources/unsubscribe", uri);
      if (one.count === 0) this.#byUri.delete(uri);
      return false;
    });
  }

  async #ask(method: string, uri: string): Promise<boolean> {
    const answer = await this.#session.ask(method, { uri }, SUBSCRIBE_TIMEOUT_MS);
    return answer.kind === "result";
  }
}

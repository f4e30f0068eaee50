/** Counts the exchanges under way, so that a stop can wait for them and one grant can't take all there is. */

export const MAX_ACTIVE_PER_GRANT = 1_000;

export class ActiveCount {
  #count = 0;
  readonly #byGrant = new Map<string, number>();
  #waiting: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  /** False: the grant has as many under way as it may. */
  begin(grantId: string): boolean {
    const own = this.#byGrant.get(grantId) ?? 0;
    if (own >= MAX_ACTIVE_PER_GRANT) return false;
    this.#byGrant.set(grantId, own + 1);
    this.#count++;
    return true;
  }

  end(grantId: string): void {
    const own = this.#byGrant.get(grantId) ?? 0;
    if (own > 1) this.#byGrant.set(grantId, own - 1);
    else this.#byGrant.delete(grantId);
    this.#count--;
    if (this.#count > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Settles when nothing is under way, or when the time is up. */
  async drained(timeoutMs: number): Promise<boolean> {
    if (this.#count === 0) return true;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}

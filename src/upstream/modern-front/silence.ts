/** A bound on silence that costs a clock's reading for each sign of life, not a timer. */
export class SilenceWatch {
  readonly #limitMs: number;
  readonly #onSilence: () => void;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;

  constructor(limitMs: number, onSilence: () => void) {
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
  }

  start(): void {
    this.#heardAt = performance.now();
    this.#wait(this.#limitMs);
  }

  hear(): void {
    this.#heardAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const left = this.#heardAt + this.#limitMs - performance.now();
      if (left > 0) this.#wait(Math.ceil(left));
      else this.#onSilence();
    }, ms);
    this.#timer.unref();
  }
}
